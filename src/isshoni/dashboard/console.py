"""What the dashboard shows and does: an engine's environment, its reports and logs."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from isshoni.engine.errors import NothingToDo
from isshoni.engine.lease import is_free
from isshoni.engine.operations import Engine
from isshoni.engine.readings import read_readings
from isshoni.engine.rollout_report.writer import ReportFiles
from isshoni.engine.snapshot import list_history, show_move, take_snapshot
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
"""What each button asks of the engine."""


@dataclass(frozen=True)
class Console:
    """One environment, as the dashboard knows it."""

    engine: Engine
    reports: ReportFiles
    read_log: Callable[[str, int], Awaitable[Sequence[str]]]
    """Gives the last lines of a program's log."""
    start_rollback: Callable[[], Awaitable[None]]
    """Starts an engine of its own that rolls back, and outlives the dashboard."""
    address: str
    """Where people reach the environment."""
    secret: bytes

    async def look(self) -> dict[str, Any]:
        """Say how things stand now."""
        stand = await take_snapshot(self.engine.environment, self.engine.clock.now())
        rollout = stand["rollout"]
        readings = read_readings(self.reports.readings(rollout["id"])) if rollout else []
        return {"address": self.address, **stand, "move": show_move(readings)}

    def list_rollouts(self, limit: int) -> list[dict[str, Any]]:
        """Sum up the last rollouts, each with the way to its report."""
        now = self.engine.clock.now()
        return [
            {
                "id": report.id,
                "release": report.release,
                "content": report.content,
                "previous_release": report.previous_release,
                "colour": report.colour,
                "outcome": report.outcome,
                "reason": report.reason,
                "returning": report.returning,
                "began": report.began,
                "seconds": report.seconds,
                "rollback_seconds": report.rollback_seconds and asdict(report.rollback_seconds),
                "report": self._locate_report(report.id),
            }
            for report in list_history(self.engine.environment, now, limit)
        ]

    def list_records(self, rollout_id: str) -> list[dict[str, Any]]:
        """Tell all that happened in a rollout."""
        return [asdict(r) for r in self.engine.environment.journal.read_records(rollout_id)]

    def find_report(self, rollout_id: str) -> Path | None:
        """Find the file of a rollout's report; only rollouts that the journal knows have one."""
        if self.engine.environment.journal.read_rollout(rollout_id) is None:
            return None
        file = self.reports.html(rollout_id)
        return file if file.is_file() else None

    def make_pass(self, rollout_id: str) -> str:
        """Make what opens one report, for links: they cannot carry the token."""
        return hmac.new(self.secret, f"report {rollout_id}".encode(), hashlib.sha256).hexdigest()

    async def act(self, kind: ActionKind, *, who: str) -> Mapping[str, str]:
        """Do what somebody asked by a button. Raises `NothingToDo`."""
        environment, clock = self.engine.environment, self.engine.clock
        if kind == "rollback" and is_free(environment.journal.read_lease(), clock.now()):
            await self.start_rollback()
            return {"asked": kind}
        answer = await steer(environment, clock, REQUESTS[kind], who)
        if answer.refused:
            raise NothingToDo(answer.why)
        return {"asked": kind}

    def _locate_report(self, rollout_id: str) -> str | None:
        if not self.reports.html(rollout_id).is_file():
            return None
        return f"/api/reports/{rollout_id}?pass={self.make_pass(rollout_id)}"
