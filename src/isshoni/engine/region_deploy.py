"""Deploy to both regions: first to the standby, which has no users, then to the serving one.

If the serving region does not promote the release, the standby is returned to the release that
serves, so that a failover stays possible. An engine that was killed is continued by the same
command: a standby that has the release already is left as it is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from isshoni.engine.errors import LeaseHeld, NothingToDo, UnfinishedRollout
from isshoni.engine.journal import Journal
from isshoni.engine.operations import (
    Engine,
    choose_return,
    deploy,
    find_resumable,
    rollback,
)
from isshoni.engine.reconciler import Controls, OnTurn
from isshoni.engine.region_versions import is_ahead
from isshoni.engine.report import EXIT_CODES, RolloutReport
from isshoni.errors import ExitCode, IsshoniError
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Outcome, Rollout

Work = Callable[[Controls, OnTurn], Awaitable[RolloutReport]]
Check = Callable[[], Awaitable[None]]
"""Raises `NothingToDo` or `LeaseHeld` once the regions do not have their roles any more."""


@dataclass(frozen=True)
class RegionTarget:
    """One region, with the engine and the plan of rollouts in it (`stand_by`, `plan_standby`)."""

    name: str
    engine: Engine
    plan: RolloutPlan

    @property
    def journal(self) -> Journal:
        """Return the journal of its rollouts."""
        return self.engine.environment.journal

    @property
    def release(self) -> Release | None:
        """Return the release that was promoted last; None before the first."""
        stable = self.journal.read_stable()
        return None if stable is None else stable.release

    @property
    def previous(self) -> Release | None:
        """Return the release that its next rollback would return to; None if there is none."""
        stables = self.journal.list_stables()
        return stables[1].release if len(stables) > 1 else None

    @property
    def unfinished(self) -> Rollout | None:
        """Return its rollout that is running or stuck."""
        latest = self.journal.read_latest()
        if latest is None or latest.rollout.outcome not in ("running", "stuck"):
            return None
        return latest.rollout

    def has(self, release: Release) -> bool:
        """True if `release` is its stable one, and nothing is left to finish."""
        here = self.release
        return here is not None and release.is_request_for(here) and self.unfinished is None


@dataclass(frozen=True)
class RegionPair:
    """Both regions by their present role."""

    standby: RegionTarget
    serving: RegionTarget
    check: Check
    environment: str = "local"

    def command(self, words: str) -> str:
        """Return a command about both regions, as it is typed."""
        where = "" if self.environment == "local" else f" -e {self.environment}"
        return f"`isshoni {words}{where}`"


@dataclass(frozen=True)
class RegionReport:
    """A rollout in one region."""

    region: str
    role: str
    report: RolloutReport


@dataclass(frozen=True)
class RegionsReport:
    """The outcome of a deploy, or of a rollback, in both regions."""

    outcome: Outcome
    reason: str
    rollouts: tuple[RegionReport, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of the outcome."""
        return EXIT_CODES[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "exit_code": int(self.exit_code),
            "rollouts": [
                {"region": each.region, "role": each.role, **each.report.to_json()}
                for each in self.rollouts
            ],
        }


class Show(Protocol):
    """Runs one rollout and shows it; the command line's has a live view and Ctrl-C."""

    async def __call__(self, target: RegionTarget, work: Work) -> RolloutReport:
        """Return the report of `work`, which is given its controls and who sees each turn."""


async def find_next(pair: RegionPair, release: Release) -> tuple[Release, list[RegionTarget]]:
    """Return the release with its content, and the regions that do not have it yet, in order.

    Raises like `deploy` what would refuse one of both; nothing is changed.
    """
    for target in (pair.standby, pair.serving):
        if target.release is None:
            raise NothingToDo(f"nothing is deployed in {target.name} yet: start it first")
    release, _ = await find_resumable(pair.serving.engine, release)
    try:
        await find_resumable(pair.standby.engine, release)
    except UnfinishedRollout as fault:
        raise NothingToDo(
            f"rollout {fault.rollout.id} of {fault.rollout.release.name} is not over in "
            f"{pair.standby.name}: {pair.command('rollback')} returns it to the version that "
            f"{pair.serving.name} serves"
        ) from None
    # The standby has it and the other one has not: an earlier deploy ended between the two.
    is_done = pair.standby.has(release) and not pair.serving.has(release)
    if is_done:
        return release, [pair.serving]
    await _check_standby(pair)
    return release, [pair.standby, pair.serving]


async def _check_standby(pair: RegionPair) -> None:
    """Raise `NothingToDo` if its load balancer does not answer: its rollout could only end stuck.

    Only before anything was begun: a rollout that is left unfinished has clocks of its own.
    """
    standby, serving = pair.standby, pair.serving
    if standby.unfinished is not None:
        return
    try:
        await standby.engine.environment.traffic.verify_weights()
    except EnvironmentFault as fault:
        raise NothingToDo(
            f"the standby {standby.name} cannot be read ({fault}): start it with "
            f"{pair.command(f'up --region {standby.name}')}, or deploy to {serving.name} alone "
            f"with `isshoni deploy VERSION -e {pair.environment}.{serving.name}`"
        ) from None


async def deploy_by_region(
    pair: RegionPair, release: Release, show: Show, *, force: bool = False
) -> RegionsReport:
    """Deploy to the standby, then to the serving region; or resume that.

    Raises like `deploy`; everything else is an outcome.
    """
    release, targets = await find_next(pair, release)
    done: list[RegionReport] = []
    for target in targets:
        if why := await _find_change(pair, is_begun=bool(done)):
            return RegionsReport("stuck", why, tuple(done))
        try:
            report = await show(target, _make_deploy(target, release, force=force))
        except IsshoniError as fault:
            if not done:
                raise
            return RegionsReport("stuck", _describe_half(pair, release, fault), tuple(done))
        done.append(RegionReport(target.name, _name_role(pair, target), report))
        if report.outcome != "promoted":
            return await _end_early(pair, done, show)
    return RegionsReport("promoted", "", tuple(done))


def _describe_half(pair: RegionPair, release: Release, fault: IsshoniError) -> str:
    """Return the reason of a deploy whose second rollout could not begin."""
    standby, serving = pair.standby.name, pair.serving.name
    return (
        f"{standby} has {release.name}, {serving} has not ({fault}): "
        f"{pair.command(f'deploy {release.label}')} goes on, "
        f"{pair.command('rollback')} returns {standby}"
    )


async def _find_change(pair: RegionPair, *, is_begun: bool) -> str | None:
    """Return why a failover ends it here; before anything is changed that is raised."""
    try:
        await pair.check()
    except (LeaseHeld, NothingToDo) as fault:
        if not is_begun:
            raise
        here = pair.standby.release
        return f"{pair.standby.name} has {here.name if here else 'nothing'}, but {fault}"
    return None


def _make_deploy(
    target: RegionTarget, release: Release, *, force: bool, returning: bool = False
) -> Work:
    async def work(controls: Controls, on_turn: OnTurn) -> RolloutReport:
        return await deploy(
            target.engine,
            release,
            target.plan,
            force=force,
            returning=returning,
            controls=controls,
            on_progress=on_turn,
        )

    return work


async def _end_early(pair: RegionPair, done: list[RegionReport], show: Show) -> RegionsReport:
    """Return the report of a deploy that one region did not promote; align the standby."""
    last = done[-1]
    reason = f"{last.region}: {last.report.reason}"
    if last.region == pair.standby.name:
        reason += f"; {pair.serving.name} was not changed"
        return RegionsReport(last.report.outcome, reason, tuple(done))
    if last.report.outcome not in ("rolled_back", "refused"):
        here = pair.standby.release
        reason += f"; {pair.standby.name} has {here.name if here else 'nothing'}"
        return RegionsReport(last.report.outcome, reason, tuple(done))
    return await _align(pair, last.report.outcome, reason, done, show)


async def _align(
    pair: RegionPair, outcome: Outcome, reason: str, done: list[RegionReport], show: Show
) -> RegionsReport:
    """Return the standby to the release of the serving region, if it has another.

    A fault is raised only if nothing was changed before; otherwise the outcome is stuck.
    """
    standby, release = pair.standby, pair.serving.release
    assert release is not None
    is_begun = bool(done)
    try:
        if standby.has(release):
            return RegionsReport(outcome, reason, tuple(done))
        if why := await _find_change(pair, is_begun=is_begun):
            return RegionsReport("stuck", f"{reason}; {why}".removeprefix("; "), tuple(done))
        await _return_standby(standby, release, done, show)
        is_returned, why = standby.has(release), done[-1].report.reason
    except IsshoniError as fault:
        if not is_begun:
            raise
        is_returned, why = False, str(fault)
    words = f"{standby.name} was returned to {release.name}"
    if not is_returned:
        outcome = "stuck"
        words = (
            f"{standby.name} was not returned to {release.name} ({why}): no planned failover is "
            f"possible until {pair.command('rollback')} has done that"
        )
    return RegionsReport(outcome, f"{reason}; {words}".removeprefix("; "), tuple(done))


async def _return_standby(
    standby: RegionTarget, release: Release, done: list[RegionReport], show: Show
) -> None:
    """Return the standby to `release`, and add the reports of that to `done`."""
    if standby.unfinished is not None:
        report = await show(standby, _make_rollback(standby, None))
        done.append(RegionReport(standby.name, "standby", report))
    if not standby.has(release):
        work = _make_deploy(standby, release, force=True, returning=True)
        done.append(RegionReport(standby.name, "standby", await show(standby, work)))


async def rollback_by_region(
    pair: RegionPair, show: Show, *, to: str | None = None
) -> RegionsReport:
    """Roll back the serving region, then return the standby to the same release.

    If only the standby differs, only the standby is returned; one that has the release already
    is left as it is. Raises `NothingToDo`.
    """
    done: list[RegionReport] = []
    outcome: Outcome = "promoted"
    reason = ""
    if not is_only_standby_apart(pair) or to is not None:
        await pair.check()
        report = await show(pair.serving, _make_rollback(pair.serving, to))
        done.append(RegionReport(pair.serving.name, "serving", report))
        outcome, reason = report.outcome, report.reason
        if outcome not in ("promoted", "rolled_back"):
            return RegionsReport(outcome, f"{pair.serving.name}: {reason}", tuple(done))
    return await _align(pair, outcome, reason, done, show)


def is_only_standby_apart(pair: RegionPair) -> bool:
    """True if the serving region has nothing to roll back before the standby is returned.

    A standby that still has the version before is not apart: users are to leave the newer one.
    """
    serving, standby = pair.serving, pair.standby
    release = serving.release
    if release is None:
        raise NothingToDo(f"nothing is deployed in {serving.name} yet")
    if serving.unfinished is not None or standby.has(release):
        return False
    return not is_ahead(serving, standby)


def describe_rollback(pair: RegionPair, to: str | None) -> str:
    """Return what a rollback would do, in words; raises `NothingToDo`."""
    serving, standby = pair.serving, pair.standby
    unfinished = serving.unfinished
    if is_only_standby_apart(pair) and to is None:
        release = serving.release
    elif unfinished is not None and unfinished.outcome == "running" and to is None:
        release = unfinished.stable.release
    else:
        release = choose_return(serving.journal, to)
    assert release is not None
    names = [] if is_only_standby_apart(pair) and to is None else [serving.name]
    names += [] if standby.has(release) else [standby.name]
    return f"would return {', then '.join(names)} to {release.name}"


def _make_rollback(target: RegionTarget, to: str | None) -> Work:
    async def work(controls: Controls, on_turn: OnTurn) -> RolloutReport:
        return await rollback(
            target.engine, to=to, plan=target.plan, controls=controls, on_progress=on_turn
        )

    return work


def _name_role(pair: RegionPair, target: RegionTarget) -> str:
    return "standby" if target is pair.standby else "serving"
