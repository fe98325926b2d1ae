"""Read and control one environment for the dashboard."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from isshoni.dashboard.commands import Commands
from isshoni.dashboard.errors import NotAllowed, UnfitVersion
from isshoni.dashboard.history import RolloutList
from isshoni.dashboard.reading_cache import ReadingCache
from isshoni.dashboard.reasons import read_reasons
from isshoni.engine.errors import NothingToDo
from isshoni.engine.lease import is_free
from isshoni.engine.operations import Engine, choose_return
from isshoni.engine.rollout_report.writer import ReportFiles
from isshoni.engine.snapshot import show_move, take_snapshot
from isshoni.engine.steering import steer
from isshoni.rollout.state import RequestKind

ActionKind = Literal["pause", "resume", "abort", "rollback", "promote"]

REQUESTS: Mapping[ActionKind, RequestKind] = {
    "pause": "pause",
    "resume": "resume",
    "abort": "abort",
    "rollback": "rollback",
    "promote": "skip_bake",
}
"""The request that each action sends to the engine."""
_VERSION = re.compile(
    r"git:[A-Za-z0-9][A-Za-z0-9._/@+-]{0,199}|[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII
)
SEARCHED_LINES = 20_000
"""The last lines of a log in which a text is searched."""


@dataclass(frozen=True)
class Expected:
    """The last rollout that a user saw; an action is refused if it is another or has ended."""

    rollout: str | None
    """The id of the last rollout; None if there was none."""
    outcome: str | None = None


@dataclass(frozen=True)
class Logs:
    """The logs of the environment's programs."""

    names: Callable[[], Sequence[str]]
    read: Callable[[str, int], Awaitable[Sequence[str]]]
    """Returns the last lines of a log."""


@dataclass(frozen=True)
class Console:
    """One environment with its engine, reports and logs."""

    engine: Engine
    reports: ReportFiles
    logs: Logs
    commands: Commands
    address: str
    """The environment's public URL."""
    secret: bytes
    allows_deploy: bool = False
    """True if the operator allows deploys from the page."""
    is_standby: Callable[[], bool] = lambda: False
    """True if the environment is a region that stands by now: no user is sent there."""
    readings: ReadingCache = field(default_factory=ReadingCache)

    @cached_property
    def rollouts(self) -> RolloutList:
        """The list of rollouts, which keeps those it has read."""
        return RolloutList(self.engine.environment.journal)

    async def observe(self) -> dict[str, Any]:
        """Return the current state of the environment as JSON values."""
        state = await take_snapshot(self.engine.environment, self.engine.clock.now())
        rollout = state["rollout"]
        readings = self.readings.read(self.reports.readings(rollout["id"])) if rollout else []
        started = self.commands.last
        add_reasons(state)
        move = show_move(readings)
        if move["verdict"]:
            _explain(move["verdict"])
        return {
            "address": self.address,
            "standby": self.is_standby(),
            **state,
            "move": move,
            "started": started and asdict(started),
        }

    async def list_history(self, limit: int, before: str | None = None) -> list[dict[str, Any]]:
        """Return a summary of the last rollouts, newest first, each with its report's URL.

        `before`: only of those that began before the rollout with this id.
        """
        rows = await self.rollouts.list_rows(self.engine.clock.now(), limit, before)
        reports = self.reports.list_html()
        return [{**row, "report": self._locate_report(row["id"], reports)} for row in rows]

    def list_records(self, rollout_id: str) -> list[dict[str, Any]]:
        """Return every record of a rollout, oldest first."""
        records = self.engine.environment.journal.read_records(rollout_id)
        return [
            {**asdict(record), "reasons": [asdict(it) for it in read_reasons(record.why)]}
            for record in records
        ]

    async def search_log(self, name: str, lines: int, find: str) -> list[str]:
        """Return the last lines of a log that contain `find`, in any case."""
        if not find:
            return list(await self.logs.read(name, lines))
        sought = find.casefold()
        written = await self.logs.read(name, SEARCHED_LINES)
        return [line for line in written if sought in line.casefold()][-lines:]

    def find_report(self, rollout_id: str) -> Path | None:
        """Return the file of a rollout's report; None for an unknown rollout or a missing file."""
        if self.engine.environment.journal.read_rollout(rollout_id) is None:
            return None
        file = self.reports.html(rollout_id)
        return file if file.is_file() else None

    def make_pass(self, rollout_id: str) -> str:
        """Return a code that opens this one report: a link cannot send the token."""
        return hmac.new(self.secret, f"report {rollout_id}".encode(), hashlib.sha256).hexdigest()

    async def act(
        self, kind: ActionKind, *, who: str, expected: Expected | None = None
    ) -> Mapping[str, str]:
        """Do the action of a button for user `who`; raises `NothingToDo` if it is refused."""
        self._check_expected(expected)
        environment, clock = self.engine.environment, self.engine.clock
        if kind == "rollback" and is_free(environment.journal.read_lease(), clock.now()):
            await self.commands.start("rollback", who=who)
            return {"asked": kind}
        answer = await steer(environment, clock, REQUESTS[kind], who)
        if answer.refused:
            raise NothingToDo(answer.why)
        return {"asked": kind}

    async def return_to(
        self, rollout_id: str, *, previous: bool = False, who: str, expected: Expected | None
    ) -> None:
        """Deploy the release of an earlier rollout again; raises `NothingToDo` if refused.

        `previous`: the release that was live before it. No rollout brought the first one.
        """
        self._check_expected(expected)
        self._check_idle()
        journal = self.engine.environment.journal
        saved = journal.read_rollout(rollout_id)
        if saved is None:
            raise NothingToDo(f"there is no rollout {rollout_id!r:.60}")
        before = saved.rollout.stable.release
        to = (before.content or before.label) if previous else rollout_id
        choose_return(journal, to)
        await self.commands.start("rollback", "--to", to, who=who)

    async def plan_deploy(self, version: str) -> dict[str, Any]:
        """Return what a deploy would do; raises `NothingToDo` with the reason against it."""
        self._check_deploy(version)
        return await self.commands.plan("deploy", version)

    async def deploy(self, version: str, *, who: str, expected: Expected | None) -> None:
        """Start a deploy for user `who`; raises `NotAllowed`, `UnfitVersion`, `NothingToDo`."""
        self._check_deploy(version)
        self._check_expected(expected)
        self._check_idle()
        await self.commands.start("deploy", version, who=who)

    def _check_deploy(self, version: str) -> None:
        if not self.allows_deploy:
            raise NotAllowed
        if not _VERSION.fullmatch(version) or ".." in version or version.endswith(".whl"):
            raise UnfitVersion(version)

    def _check_idle(self) -> None:
        latest = self.engine.environment.journal.read_latest()
        if latest is not None and latest.rollout.outcome == "running":
            raise NothingToDo(f"rollout {latest.rollout.id} is running: wait until it has ended")

    def _check_expected(self, expected: Expected | None) -> None:
        """Raise `NothingToDo` if a rollout has begun or ended since the user looked."""
        if expected is None:
            return
        latest = self.engine.environment.journal.read_latest()
        found = latest.rollout.id if latest else None
        if found != expected.rollout:
            raise NothingToDo("another rollout has begun since: look at it first")
        if latest is not None and expected.outcome not in (None, latest.rollout.outcome):
            outcome = latest.rollout.outcome.replace("_", " ")
            raise NothingToDo(f"rollout {found} has ended by now: {outcome}")

    def _locate_report(self, rollout_id: str, reports: Collection[str]) -> str | None:
        if rollout_id not in reports:
            return None
        return f"/api/reports/{rollout_id}?pass={self.make_pass(rollout_id)}"


def add_reasons(state: dict[str, Any]) -> None:
    """Add to each reason of a snapshot the same as codes with fields."""
    rollout = state["rollout"]
    if rollout:
        _explain(rollout)
        for part in [*rollout["judgements"], rollout["rollback"]]:
            if part:
                _explain(part)
    for colour in (state["seen"] or {}).get("colours", {}).values():
        colour["trouble_reasons"] = [asdict(it) for it in read_reasons(colour["trouble"] or "")]


def _explain(part: dict[str, Any]) -> None:
    part["reasons"] = [asdict(reason) for reason in read_reasons(part["reason"])]
