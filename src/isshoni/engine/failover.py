"""The operations of a failover: begin or continue one, go back, and requests to its engine."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from isshoni.engine.environment import Clock, SystemClock
from isshoni.engine.errors import LeaseHeld, NothingToDo
from isshoni.engine.failover_journal import FailoverJournal, SavedFailover
from isshoni.engine.failover_leases import hold_leases
from isshoni.engine.failover_loop import (
    TURN_SECONDS,
    FailoverLoop,
    FailoverTurn,
    OnFailoverTurn,
)
from isshoni.engine.journal import Journal
from isshoni.engine.lease import find_user, is_free
from isshoni.engine.reconciler import Controls
from isshoni.rollout.failover.model import Failover, RegionRecord, RegionSeen
from isshoni.rollout.failover.ports import Regions
from isshoni.rollout.failover.steps import Mode, StepName
from isshoni.rollout.state import RequestKind

ANSWER_SECONDS = 3.0
"""How long a region that does not answer is asked again: a busy one may miss a timeout."""


@dataclass(frozen=True)
class FailoverEngine:
    """Two regions, the journal of their failovers, and the journals of both."""

    regions: Regions
    journal: FailoverJournal
    region_journals: Mapping[str, Journal]
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state
    who: str | None = None
    bounds: Mapping[StepName, float] = field(default_factory=dict)
    """How long a step may take here, where that is not its default."""
    environment: str = "local"

    @property
    def names(self) -> list[str]:
        """Return the names of both regions."""
        return list(self.region_journals)

    def other(self, name: str) -> str:
        """Return the other region."""
        return next(each for each in self.names if each != name)


def ignore_turn(turn: FailoverTurn) -> None:
    """Show nothing."""


async def fail_over(
    engine: FailoverEngine,
    *,
    to: str | None = None,
    mode: Mode | None = None,
    controls: Controls | None = None,
    on_turn: OnFailoverTurn = ignore_turn,
) -> Failover:
    """Let the other region serve, or continue the failover that was left unfinished.

    Raises `LeaseHeld`, `NothingToDo` and `JournalFault`; everything else is an outcome.
    """
    saved = await find_or_begin(engine, to, mode)
    begun = saved.failover
    lost = begun.source if begun.mode == "emergency" else None
    what = f"fail over from {begun.source} to {begun.target}"
    with hold_leases(
        engine.clock, engine.journal, engine.region_journals, what, may_lose=lost
    ) as leases:
        # Only now: another engine may have worked on it until this one had the lease.
        saved = await find_or_begin(engine, to, mode)
        loop = FailoverLoop(
            engine.regions,
            engine.journal,
            leases,
            saved,
            clock=engine.clock,
            controls=controls or Controls(),
            on_turn=on_turn,
        )
        return await loop.run()


async def find_or_begin(engine: FailoverEngine, to: str | None, mode: Mode | None) -> SavedFailover:
    """Return the unfinished failover, or a new one; raises `NothingToDo`."""
    if to is not None and to not in engine.names:
        raise NothingToDo(f"there is no region {to!r}, only: {', '.join(engine.names)}")
    now = engine.clock.now()
    unfinished = find_unfinished(engine.journal)
    if unfinished is not None:
        continued = _continue(unfinished, to, mode, now)
        if continued is not None:
            return continued
    source, target, mode = await _choose(engine, to, mode)
    _refuse_during_rollout(engine, (target,) if mode == "emergency" else (source, target))
    name = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    bounds = {str(step): seconds for step, seconds in engine.bounds.items()}
    begun = Failover(
        name, mode, source, target, now, step_began=now, waiting_since=now, bounds=bounds
    )
    return SavedFailover(begun, revision=0)


def find_unfinished(journal: FailoverJournal) -> SavedFailover | None:
    """Return the failover that is running or stuck; None if the last one has ended."""
    latest = journal.read_latest_failover()
    if latest is None or latest.failover.outcome not in ("running", "stuck"):
        return None
    return latest


def _continue(
    saved: SavedFailover, to: str | None, mode: Mode | None, now: float
) -> SavedFailover | None:
    """Return the failover to continue; None if an emergency the other way replaces it."""
    left = saved.failover
    if to in (None, left.target):
        if mode == "emergency" and left.mode == "planned":
            return replace(saved, failover=left.make_emergency(now))
        return replace(saved, failover=left.take_up(now))
    if mode == "emergency":
        return None
    raise NothingToDo(
        f"failover {left.id} to {left.target} is not over (step: {left.step.title}): finish it "
        f"with `isshoni failover`, then use `isshoni failover --to {to}`; if {left.target} is "
        f"lost, `isshoni failover --to {to} --emergency`"
    )


async def _choose(
    engine: FailoverEngine, to: str | None, mode: Mode | None
) -> tuple[str, str, Mode]:
    """Return source, target and mode of a new failover; raises `NothingToDo`."""
    seen = await _observe_for_planning(engine, is_lost=mode == "emergency")
    active = find_active(seen, await engine.regions.find_switched())
    if active is None:
        raise NothingToDo("no region serves: start one with `isshoni up VERSION --region NAME`")
    if to is not None and mode == "emergency" and is_fenced(seen):
        return engine.other(to), to, mode  # a failover was to open the other one, and lost it
    if to == active:
        raise NothingToDo(f"{active} serves already")
    target = engine.other(active)
    if mode == "emergency":
        return active, target, mode
    if not seen[active].answers:
        why = seen[active].fault or "no program answers"
        raise NothingToDo(
            f"{active} serves, and cannot be asked to stop its writes ({why}). If it is lost, "
            f"`isshoni failover --emergency` lets {target} serve without it; what {target} "
            "does not have yet then comes from the clients that had it"
        )
    return active, target, "planned"


async def _observe_for_planning(engine: FailoverEngine, *, is_lost: bool) -> dict[str, RegionSeen]:
    """Return an observation in which both regions answer, if they do within some seconds."""
    until = engine.clock.now() + ANSWER_SECONDS
    while True:
        seen = await observe_all(engine)
        if is_lost or all(each.answers for each in seen.values()) or engine.clock.now() > until:
            return seen
        await engine.clock.sleep(TURN_SECONDS)


async def observe_all(engine: FailoverEngine) -> dict[str, RegionSeen]:
    """Return one observation of each region."""
    seen = await asyncio.gather(*(engine.regions.observe(name) for name in engine.names))
    return {each.name: each for each in seen}


def find_active(seen: Mapping[str, RegionSeen], switched_to: str | None) -> str | None:
    """Return the region that serves, by the newest record; else where users are sent."""
    newest = _find_newest(seen)
    if newest is not None and newest.writer in seen:
        return newest.writer
    return switched_to


def is_fenced(seen: Mapping[str, RegionSeen]) -> bool:
    """True if no region may write, by the newest record."""
    newest = _find_newest(seen)
    return newest is not None and not newest.writer


def _find_newest(seen: Mapping[str, RegionSeen]) -> RegionRecord | None:
    records = [each.record for each in seen.values() if each.record is not None]
    return max(records, key=lambda record: record.term, default=None)


def _refuse_during_rollout(engine: FailoverEngine, names: tuple[str, ...]) -> None:
    for name in names:
        latest = engine.region_journals[name].read_latest()
        if latest is not None and latest.rollout.outcome == "running":
            where = "" if engine.environment == "local" else f" -e {engine.environment}"
            raise NothingToDo(
                f"rollout {latest.rollout.id} is not over in {name}: finish it with "
                f"`isshoni deploy {latest.rollout.release.label}{where}`, or return both regions "
                f"to one version with `isshoni rollback{where}`"
            )


def refuse_during_failover(journal: FailoverJournal) -> None:
    """Raise `NothingToDo` if a failover was left unfinished, `LeaseHeld` while one runs."""
    lease = journal.read_lease()
    if lease is not None and not is_free(lease, SystemClock().now()):
        raise LeaseHeld(lease.holder)
    left = find_unfinished(journal)
    if left is not None:
        raise NothingToDo(
            f"failover {left.failover.id} to {left.failover.target} is not over: finish it with "
            "`isshoni failover`"
        )


def choose_failback(engine: FailoverEngine) -> str | None:
    """Return the region that served before the last failover; raises `NothingToDo`.

    None: a failover was left unfinished, and is continued.
    """
    if find_unfinished(engine.journal) is not None:
        return None
    for each in engine.journal.list_failovers(100):
        if each.outcome == "promoted":
            return each.source
    raise NothingToDo("there was no failover yet: `isshoni failover` starts one")


def find_running(journal: FailoverJournal, kind: RequestKind) -> Failover:
    """Return the failover that a request is for; raises `NothingToDo` if none is running."""
    latest = journal.read_latest_failover()
    if latest is not None and latest.failover.outcome == "running":
        return latest.failover
    if latest is not None and latest.failover.outcome == "stuck":
        stuck = latest.failover
        raise NothingToDo(
            f"failover {stuck.id} is stuck, so there is none to {kind}: {stuck.reason}"
        )
    raise NothingToDo(f"no failover is running, so there is none to {kind}")


def request(engine: FailoverEngine, kind: RequestKind) -> Failover:
    """Add a request for the running failover, and return it; raises `NothingToDo`."""
    running = find_running(engine.journal, kind)
    who = engine.who or find_user()
    engine.journal.file_request(running.id, kind, who=who, at=engine.clock.now())
    return running
