"""Read and control one environment for the dashboard."""

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
"""The request that each action sends to the engine."""


@dataclass(frozen=True)
class Console:
    """One environment with its engine, reports and logs."""

    engine: Engine
    reports: ReportFiles
    read_log: Callable[[str, int], Awaitable[Sequence[str]]]
    """Returns the last lines of a program's log."""
    start_rollback: Callable[[], Awaitable[None]]
    """Starts `isshoni rollback` in a process that outlives the dashboard."""
    address: str
    """The environment's public URL."""
    secret: bytes

    async def observe(self) -> dict[str, Any]:
        """Return the current state of the environment as JSON values."""
        state = await take_snapshot(self.engine.environment, self.engine.clock.now())
        rollout = state["rollout"]
        readings = read_readings(self.reports.readings(rollout["id"])) if rollout else []
        return {"address": self.address, **state, "move": show_move(readings)}

    def list_rollouts(self, limit: int) -> list[dict[str, Any]]:
        """Return a summary of the last rollouts, newest first, each with its report's URL."""
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
        """Return every record of a rollout, oldest first."""
        return [asdict(r) for r in self.engine.environment.journal.read_records(rollout_id)]

    def find_report(self, rollout_id: str) -> Path | None:
        """Return the file of a rollout's report; None for an unknown rollout or a missing file."""
        if self.engine.environment.journal.read_rollout(rollout_id) is None:
            return None
        file = self.reports.html(rollout_id)
        return file if file.is_file() else None

    def make_pass(self, rollout_id: str) -> str:
        """Return a code that opens this one report: a link cannot send the token."""
        return hmac.new(self.secret, f"report {rollout_id}".encode(), hashlib.sha256).hexdigest()

    async def act(self, kind: ActionKind, *, who: str) -> Mapping[str, str]:
        """Do the action of a button for user `who`; raises `NothingToDo` if it is refused."""
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
