"""The loop that drives a failover: observe, decide, record, act, and again."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from isshoni.engine.environment import Clock
from isshoni.engine.failover_journal import FailoverJournal, SavedFailover
from isshoni.engine.failover_leases import LeasesHeld
from isshoni.engine.journal import Record
from isshoni.engine.reconciler import Controls
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import Action
from isshoni.rollout.failover.conditions import Seen
from isshoni.rollout.failover.decide import Decision, Event, Turn, decide
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.failover.ports import Regions
from isshoni.rollout.failover.steps import StepName

TURN_SECONDS = 0.05
"""Writes wait from one step to the next: turns are short."""
SLOW_TURN_SECONDS = 0.25
_SLOW = frozenset({StepName.PROVE_STANDBY, StepName.MOVE, StepName.VERIFY})


@dataclass(frozen=True)
class FailoverTurn:
    """What one turn saw and decided, for a live view."""

    at: float
    failover: Failover
    seen: Seen | None
    events: Sequence[Event]


OnFailoverTurn = Callable[[FailoverTurn], None]


class FailoverLoop:
    """One engine at work on one failover, for as long as it holds the leases."""

    def __init__(
        self,
        regions: Regions,
        journal: FailoverJournal,
        leases: LeasesHeld,
        saved: SavedFailover,
        *,
        clock: Clock,
        controls: Controls,
        on_turn: OnFailoverTurn,
    ) -> None:
        self._regions = regions
        self._journal = journal
        self._leases = leases
        self._failover, self._revision = saved.failover, saved.revision
        self._clock = clock
        self._controls = controls
        self._on_turn = on_turn
        self._known_term = max((each.term for each in journal.list_failovers(100)), default=0)
        self._action: asyncio.Task[None] | None = None
        self._acted_at: float | None = None

    async def run(self) -> Failover:
        """Run turns until the failover has ended, or `leave` was called."""
        try:
            while self._failover.outcome == "running" and not self._controls.leaving:
                await self._turn()
        finally:
            if self._action is not None:  # an action has a timeout of its own
                with contextlib.suppress(EnvironmentFault):
                    await self._action
        return self._failover

    async def _turn(self) -> None:
        seen = await self._observe()
        self._leases.renew()
        self._pass_on_abort()
        fault = self._collect()
        now = self._clock.now()
        requests = self._journal.read_requests(
            self._failover.id, after=self._failover.requests_seen
        )
        is_busy = self._action is not None
        turn = Turn(now, seen, requests, fault, is_busy, self._acted_at)
        before = self._failover.step
        decision = decide(self._failover, turn)
        # Stored before anything is done: the next engine knows which term may have been used.
        self._record(decision, now)
        if self._failover.step is not before:
            self._acted_at = None
        if decision.action is not None:
            self._begin(decision.action, now)
        self._on_turn(FailoverTurn(now, self._failover, seen, decision.events))
        if self._failover.outcome == "running":
            slowly = self._failover.step.name in _SLOW or self._failover.paused_by
            await self._clock.sleep(SLOW_TURN_SECONDS if slowly else TURN_SECONDS)

    async def _observe(self) -> Seen:
        source, target, switched_to = await asyncio.gather(
            self._regions.observe(self._failover.source),
            self._regions.observe(self._failover.target),
            self._regions.find_switched(),
        )
        return Seen(source, target, switched_to, self._known_term)

    def _pass_on_abort(self) -> None:
        who, self._controls.abort_asked_by = self._controls.abort_asked_by, None
        if who is not None:
            now = self._clock.now()
            self._journal.file_request(self._failover.id, "abort", who=who, at=now)

    def _begin(self, action: Action, now: float) -> None:
        self._leases.check()
        self._acted_at = now
        self._action = asyncio.create_task(self._regions.perform(action))

    def _collect(self) -> str | None:
        """Return why the action that has ended failed; None if none has."""
        if self._action is None or not self._action.done():
            return None
        action, self._action = self._action, None
        try:
            action.result()
        except EnvironmentFault as fault:
            return str(fault)
        return None

    def _record(self, decision: Decision, now: float) -> None:
        records = [
            Record(self._revision + 1, now, self._failover.step_index + 1, e.what, e.why, e.data)
            for e in decision.events
        ]
        if decision.action is not None:
            number = decision.failover.step_index + 1
            records.append(Record(self._revision + 1, now, number, "act", str(decision.action)))
        if self._revision and decision.failover == self._failover and not records:
            return
        self._revision = self._journal.save_failover(
            decision.failover, records, lease=self._leases.own, revision=self._revision
        )
        self._failover = replace(decision.failover)
