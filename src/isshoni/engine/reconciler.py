"""The loop that drives a rollout: observe, decide, record, act, and again."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from isshoni.engine.environment import Clock, Environment, observe
from isshoni.engine.errors import LeaseLost
from isshoni.engine.journal import Leases, Record, Requests, Rollouts, Saved
from isshoni.engine.lease import LEASE_SECONDS, Lease
from isshoni.engine.performer import Performer
from isshoni.rollout.actions import Action, ActionResult, SendProbes
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.decide import Decision, decide
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.look import Event, Turn
from isshoni.rollout.model import Observation, Stable
from isshoni.rollout.pauses import QUICK_SECONDS, choose_pause
from isshoni.rollout.state import Rollout
from isshoni.rollout.steps import StepName


@dataclass(frozen=True)
class TurnReport:
    """What one turn saw and decided, for a live view."""

    at: float
    rollout: Rollout
    seen: Observation | None
    events: Sequence[Event]
    verdict: Verdict | None
    fault: str | None


OnTurn = Callable[[TurnReport], None]


class Controls:
    """The controls of the engine in this process."""

    def __init__(self) -> None:
        self.abort_asked_by: str | None = None
        self.leaving = False
        self.following = False
        """True if another engine does the work, so that this command rolls nothing back."""

    def request_abort(self, who: str) -> None:
        """Request a rollback, and continue until it is done (the first Ctrl-C)."""
        self.abort_asked_by = who

    def leave(self) -> None:
        """End after this turn and leave the rollout as it is, resumable (the second)."""
        self.leaving = True


class Reconciler:
    """One engine at work on one rollout, for as long as it holds the lease."""

    def __init__(
        self,
        environment: Environment,
        lease: Lease,
        saved: Saved,
        *,
        clock: Clock,
        controls: Controls,
        on_progress: OnTurn,
    ) -> None:
        self._environment = environment
        self._leases: Leases = environment.journal
        self._rollouts: Rollouts = environment.journal
        self._requests: Requests = environment.journal
        self._lease = lease
        self._rollout, self._revision = saved.rollout, saved.revision
        self._clock = clock
        self._controls = controls
        self._on_progress = on_progress
        self._performer = Performer(environment)

    async def run(self) -> Rollout:
        """Run turns until the rollout has ended, or `leave` was called."""
        try:
            while self._rollout.outcome == "running" and not self._controls.leaving:
                await self._turn()
            await self._finish_stop()
        finally:
            await self._performer.aclose()
        return self._rollout

    async def _finish_stop(self) -> None:
        """Wait for a running StopColour before the engine exits.

        If Terraform is cancelled, it leaves resources that it was about to destroy.
        """
        with contextlib.suppress(LeaseLost):  # the outcome is stored, and another engine continues
            while self._performer.is_stopping and not self._controls.leaving:
                self._renew_lease()
                await self._clock.sleep(QUICK_SECONDS)

    async def _turn(self) -> None:
        seen, fault = await self._observe()
        self._renew_lease()
        self._pass_on_abort()
        results = self._performer.collect()
        requests = self._requests.read_requests(self._rollout.id, after=self._rollout.requests_seen)
        now = self._clock.now()
        turn = Turn(now, seen, results, tuple(requests), fault)
        decision = decide(self._rollout, turn)
        # Stored before anything is done: the next engine knows what may have been done.
        self._record(decision, results, now)
        for action in decision.actions:
            self._performer.start(action, self._check_lease)
        self._on_progress(
            TurnReport(now, self._rollout, seen, decision.events, decision.verdict, fault)
        )
        if self._rollout.outcome == "running":
            busy = self._performer.is_busy_beside_probes
            await self._clock.sleep(choose_pause(self._rollout, seen, now, busy=busy))

    async def _observe(self) -> tuple[Observation | None, str | None]:
        try:
            seen = await observe(self._environment)
            return replace(seen, starting=self._performer.is_starting), None
        except EnvironmentFault as fault:
            return None, str(fault)

    def _renew_lease(self) -> None:
        now = self._clock.now()
        if self._lease.expires - now < LEASE_SECONDS * 0.75:
            self._lease = self._leases.renew_lease(self._lease, now=now, ttl_seconds=LEASE_SECONDS)

    def _check_lease(self) -> None:
        # Stopped since the renewal (SIGSTOP, a suspended machine)? Then ask again.
        if self._clock.now() >= self._lease.expires:
            raise LeaseLost

    def _pass_on_abort(self) -> None:
        who, self._controls.abort_asked_by = self._controls.abort_asked_by, None
        if who is not None:
            self._requests.file_request(self._rollout.id, "abort", who=who, at=self._clock.now())

    def _record(self, decision: Decision, results: Sequence[ActionResult], now: float) -> None:
        records = self._write_records(decision, results, now)
        if self._revision and decision.rollout == self._rollout and not records:
            return
        ended = decision.rollout.outcome != "running"
        self._revision = self._rollouts.save(
            decision.rollout,
            records,
            lease=self._lease,
            revision=self._revision,
            stable=find_new_stable(decision.rollout) if ended else None,
        )
        self._rollout = decision.rollout

    def _write_records(
        self, decision: Decision, results: Sequence[ActionResult], now: float
    ) -> list[Record]:
        step = self._rollout.step.number
        rows: list[tuple[str, str, dict[str, object]]] = []
        rows += [("fault", f"{r.action}: {r.fault}", {}) for r in results if r.fault]
        rows += [(event.what, event.why, dict(event.data)) for event in decision.events]
        rows += [("act", str(action), {}) for action in self._find_new(decision.actions)]
        return [Record(self._revision + 1, now, step, *row) for row in rows]

    def _find_new(self, actions: Sequence[Action]) -> list[Action]:
        """Return the actions to record: neither running ones nor rounds of probes."""
        return [
            action
            for action in actions
            if not isinstance(action, SendProbes) and not self._performer.is_underway(action)
        ]


def find_new_stable(rollout: Rollout) -> Stable | None:
    """Return the stable release after a rollout; None if it is the same as before.

    Once the old colour is stopped, stable is the candidate, even if it is not well.
    """
    over = rollout.outcome == "promoted" or rollout.step.name is StepName.PROMOTE
    if not over:
        return None
    candidate, release = rollout.candidate, rollout.release
    return Stable(candidate, release, returned=rollout.returning, since=rollout.ended)
