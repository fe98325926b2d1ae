"""The operations of the engine: deploy, roll back, abort, and other requests."""

import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from isshoni.engine.companions import Gather, accompany, no_companions
from isshoni.engine.environment import Clock, Environment, SystemClock
from isshoni.engine.errors import JournalFault, LeaseHeld, NothingToDo, UnfinishedRollout
from isshoni.engine.journal import Journal, Record, Saved
from isshoni.engine.lease import LEASE_SECONDS, Lease, describe_self, find_user, is_free
from isshoni.engine.reconciler import Controls, OnTurn, Reconciler, TurnReport
from isshoni.engine.report import RolloutReport, report_rollout
from isshoni.engine.steering import file_request
from isshoni.rollout.look import Event
from isshoni.rollout.model import Release
from isshoni.rollout.past import find_releases
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.revert import begin_rollback
from isshoni.rollout.state import RequestKind, Rollout, begin_rollout, resume_rollout

_AT_ONCE = {"weights": (100,), "bake_seconds": 0.0, "require_traffic": False}
"""How the previous release is deployed again: to all clients, and without a bake."""
FOLLOW_SECONDS = 0.1
"""The time between two reads of the journal while another engine works."""
ROLLOUTS_SEARCHED = 500
"""How many of the last rollouts `rollback --to` searches for a release."""


def ignore_progress(progress: TurnReport) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Engine:
    """An environment, and how this process shows and controls its rollouts."""

    environment: Environment
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state
    who: str | None = None
    """The name of the user who asks; None: the user of this process."""
    companions: Gather = no_companions
    """Makes the companions of each rollout that this process drives."""

    def name_asker(self) -> str:
        """Return the name of the user who asks."""
        return self.who or find_user()


async def deploy(
    engine: Engine,
    release: Release,
    plan: RolloutPlan,
    *,
    force: bool = False,
    returning: bool = False,
    controls: Controls | None = None,
    on_progress: OnTurn = ignore_progress,
) -> RolloutReport:
    """Roll out `release` to all users, or resume its unfinished rollout.

    `returning`: the release was live before, so a later rollback goes to one before it.
    Raises `LeaseHeld`, `UnfinishedRollout` (of another release), `NothingToDo` (no
    stable), `ReleaseFault` (no such source) and `JournalFault`; everything else is an
    outcome in the report.
    """
    release, _ = await find_resumable(engine, release)
    # Refuse, if at all, before the lease is taken: taking it may end another engine.
    _find_or_begin(engine, release, plan, force=force, returning=returning)
    # Outside the lease: the last notifications must not delay the next deploy.
    async with _accompany(engine, on_progress) as see:
        with hold_lease(engine, f"deploy {release.label}") as lease:
            saved = _find_or_begin(engine, release, plan, force=force, returning=returning)
            return await _run(engine, lease, saved, controls, see)


async def rollback(
    engine: Engine,
    *,
    to: str | None = None,
    plan: RolloutPlan | None = None,
    controls: Controls | None = None,
    on_progress: OnTurn = ignore_progress,
) -> RolloutReport:
    """Roll back the present rollout, or else deploy the previous release again.

    A rollout with a live engine is asked to roll back, and followed; one without an engine is
    taken over; a stuck one is continued. If there is none, or it is too late, the previous
    release is rolled out to all users at once: the one that `to` names (`find_releases`), or
    the one before, where releases that a rollback has left are skipped (`walk_back`).
    """
    latest = engine.environment.journal.read_latest()
    rollout = latest and latest.rollout
    if rollout and rollout.outcome in ("running", "stuck") and not _is_past(rollout):
        if to is not None:
            raise NothingToDo(
                f"rollout {rollout.id} of {rollout.release.name} is not over: first roll it "
                f"back with `isshoni rollback`, then use `isshoni rollback --to {to}`"
            )
        report = await _revert_rollout(engine, rollout, controls, on_progress)
        if report.outcome != "promoted" or rollout.returning:
            return report
    at_once = (plan or RolloutPlan()).model_copy(update=_AT_ONCE)
    return await deploy(
        engine,
        choose_return(engine.environment.journal, to),
        at_once,
        force=True,
        returning=True,
        controls=controls,
        on_progress=on_progress,
    )


def choose_return(journal: Journal, to: str | None) -> Release:
    """Return the release that a rollback deploys; raises `NothingToDo`."""
    stables = journal.list_stables()
    if to is None:
        if len(stables) < 2:
            raise NothingToDo("there is no rollout to roll back, and no release before this one")
        return stables[1].release
    saved = journal.read_rollout(to)  # it may have begun before those that are searched
    searched = [saved.rollout] if saved else journal.list_rollouts(ROLLOUTS_SEARCHED)
    fitting = find_releases(to, stables, searched)
    others = [release for release in fitting if release != stables[0].release]
    if not fitting:
        raise NothingToDo(
            f"no release that was live here is called {to!r}: give a label, seven digits or more "
            "of a commit or digest, or the id of a rollout from `isshoni history`"
        )
    if not others:
        raise NothingToDo(f"{stables[0].release.name} is live: there is nothing to roll back")
    if len(others) > 1:
        named = ", ".join(release.name for release in others)
        raise NothingToDo(
            f"{to!r} matches {len(others)} releases that were live: {named}. "
            "Give digits of its commit or digest, or the id of the rollout that deployed it"
        )
    return others[0]


async def abort(
    engine: Engine,
    *,
    controls: Controls | None = None,
    on_progress: OnTurn = ignore_progress,
) -> RolloutReport:
    """Roll the running rollout back, also if its engine is dead.

    Raises `NothingToDo` when none runs. If it is too late, the outcome is `promoted`.
    """
    return await _revert_rollout(engine, find_abortable(engine), controls, on_progress, "abort")


def find_abortable(engine: Engine) -> Rollout:
    """Return the rollout that `abort` would roll back; raises `NothingToDo` when none runs."""
    latest = engine.environment.journal.read_latest()
    if latest is None or latest.rollout.outcome != "running":
        raise NothingToDo("no rollout is running, so there is none to abort")
    return latest.rollout


def request(engine: Engine, kind: RequestKind) -> int:
    """Add a request for the running rollout and return its id. Raises `NothingToDo`."""
    return file_request(engine.environment, kind, who=engine.name_asker(), at=engine.clock.now())


async def _revert_rollout(
    engine: Engine,
    rollout: Rollout,
    controls: Controls | None,
    on_progress: OnTurn,
    kind: RequestKind = "rollback",
) -> RolloutReport:
    controls = controls or Controls()
    if rollout.outcome == "running":
        request(engine, kind)
    shown = 0
    while True:
        try:
            async with _accompany(engine, on_progress) as see:
                with hold_lease(engine, f"roll back {rollout.release.label}") as lease:
                    saved = _reread(engine, rollout.id)
                    saved = replace(saved, rollout=_take_up(saved.rollout, engine.clock.now()))
                    return await _run(engine, lease, saved, controls, see)
        except LeaseHeld:
            controls.following = True
            shown = await _follow(engine, rollout.id, shown, controls, on_progress)
            controls.following = False
        now = _reread(engine, rollout.id).rollout
        if now.outcome != "running" or controls.leaving:
            return report_rollout(now, engine.clock.now())


async def _follow(
    engine: Engine, rollout_id: str, shown: int, controls: Controls, on_progress: OnTurn
) -> int:
    """Report the progress of another engine until it ends or dies, or until stopped."""
    journal = engine.environment.journal
    while True:
        rollout = _reread(engine, rollout_id).rollout
        records = journal.read_records(rollout_id, after_turn=shown)
        if records:
            shown = records[-1].turn
            for turn in _show(rollout, records):
                on_progress(turn)
        over = rollout.outcome != "running" or controls.leaving
        if over or is_free(journal.read_lease(), engine.clock.now()):
            return shown
        await engine.clock.sleep(FOLLOW_SECONDS)


def _show(rollout: Rollout, records: list[Record]) -> Iterator[TurnReport]:
    """Yield the turns of another engine, each at the time that it recorded."""
    for at, recorded in groupby(records, key=lambda record: record.at):
        events = [Event(record.what, record.why, record.data) for record in recorded]
        yield TurnReport(at, rollout, None, events, None, None)


@contextmanager
def hold_lease(engine: Engine, what: str) -> Iterator[Lease]:
    """Acquire the lease, so that this is the only engine; raises `LeaseHeld`."""
    journal, now = engine.environment.journal, engine.clock.now()
    lease = journal.take_lease(describe_self(what, now), now=now, ttl_seconds=LEASE_SECONDS)
    try:
        yield lease
    finally:
        journal.release_lease(lease)


def _check_free(engine: Engine) -> None:
    """Raise `LeaseHeld` if another engine is at work."""
    lease = engine.environment.journal.read_lease()
    if lease is not None and not is_free(lease, engine.clock.now()):
        raise LeaseHeld(lease.holder)


@contextmanager
def hold_lease_to_stop(engine: Engine, what: str) -> Iterator[None]:
    """Keep the lease while an environment is stopped; raises `LeaseHeld`.

    If the disk is full, no lease is taken: no other engine can take one either, and stopping
    does not use the journal.
    """
    journal, now = engine.environment.journal, engine.clock.now()
    try:
        lease = journal.take_lease(describe_self(what, now), now=now, ttl_seconds=LEASE_SECONDS)
    except JournalFault:
        _check_free(engine)
        yield
        return
    try:
        yield
    finally:
        with suppress(JournalFault):  # the lease expires by itself
            journal.release_lease(lease)


def _accompany(engine: Engine, on_progress: OnTurn) -> AbstractAsyncContextManager[OnTurn]:
    return accompany(engine.environment, engine.clock, engine.companions, on_progress)


async def _run(
    engine: Engine,
    lease: Lease,
    saved: Saved,
    controls: Controls | None,
    on_progress: OnTurn,
) -> RolloutReport:
    reconciler = Reconciler(
        engine.environment,
        lease,
        saved,
        clock=engine.clock,
        controls=controls or Controls(),
        on_progress=on_progress,
    )
    return report_rollout(await reconciler.run(), engine.clock.now())


def _is_unfinished(engine: Engine, asked: Release) -> bool:
    """True if `asked` is only a label, and names the release of an unfinished rollout."""
    latest = engine.environment.journal.read_latest()
    if latest is None or latest.rollout.outcome != "running":
        return False
    return _is_label_of(asked, latest.rollout.release)


def _is_label_of(asked: Release, there: Release) -> bool:
    bare = asked.source is None and asked.command in (None, there.command)
    return bare and asked.label == there.label


async def find_resumable(engine: Engine, release: Release) -> tuple[Release, Rollout | None]:
    """Return `release` with its content, and its unfinished rollout, if there is one.

    Raises like `deploy` what would refuse one: `LeaseHeld`, `UnfinishedRollout`.
    """
    if not _is_unfinished(engine, release):
        release = await engine.environment.compute.resolve(release)
    _check_free(engine)
    saved = _find_unfinished(engine, release)
    return release, saved.rollout if saved else None


def _find_unfinished(engine: Engine, release: Release) -> Saved | None:
    """Return the unfinished rollout of `release`; raises `UnfinishedRollout` of another."""
    latest = engine.environment.journal.read_latest()
    if latest is None or latest.rollout.outcome != "running":
        return None
    there = latest.rollout.release
    if not (release.is_request_for(there) or _is_label_of(release, there)):
        raise UnfinishedRollout(latest.rollout, release)
    return latest


def _find_or_begin(
    engine: Engine, release: Release, plan: RolloutPlan, *, force: bool, returning: bool
) -> Saved:
    journal, now = engine.environment.journal, engine.clock.now()
    unfinished = _find_unfinished(engine, release)
    if unfinished is not None:
        return replace(unfinished, rollout=resume_rollout(unfinished.rollout, now))
    stable = journal.read_stable()
    if stable is None:
        raise NothingToDo("nothing is deployed here yet: `isshoni up` first")
    name = _name_rollout(now)
    begun = begin_rollout(name, release, plan, stable, now, force=force, returning=returning)
    return Saved(begun, revision=0)


def _reread(engine: Engine, rollout_id: str) -> Saved:
    saved = engine.environment.journal.read_rollout(rollout_id)
    if saved is None:
        raise JournalFault(f"rollout {rollout_id} is gone from the journal")
    return saved


def _take_up(rollout: Rollout, now: float) -> Rollout:
    if rollout.outcome != "stuck":
        return resume_rollout(rollout, now)
    reason = rollout.rollback.reason if rollout.rollback else rollout.reason
    running = replace(rollout, outcome="running", reason="", ended=None)
    return begin_rollback(running, reason, now)


def _is_past(rollout: Rollout) -> bool:
    """True if its old colour is gone, so that it cannot be rolled back."""
    return rollout.outcome == "stuck" and rollout.rollback is None


def _name_rollout(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
