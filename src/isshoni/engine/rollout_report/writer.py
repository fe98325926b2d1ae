"""Store the readings of a rollout, and write its report at the end."""

import asyncio
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from isshoni.engine.environment import Environment
from isshoni.engine.readings import ReadingLog, read_readings, take_reading
from isshoni.engine.reconciler import TurnReport
from isshoni.engine.report import RolloutReport, report_rollout
from isshoni.engine.rollout_report.document import ReportDocument, make_document
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.state import Rollout

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
LOG_LINES = 200
SHOWN_LINES = 10
"""How many of them the command line shows."""
LOG_SECONDS = 3.0
"""The longest time to read a log; after it the report is written without."""


class ReportFiles:
    """The paths of an environment's reports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def html(self, rollout_id: str) -> Path:
        """Return the path of the report for users."""
        return self.directory / f"{rollout_id}.html"

    def list_html(self) -> frozenset[str]:
        """Return the ids of the rollouts that have a report for users."""
        try:
            names = os.listdir(self.directory)
        except OSError:
            return frozenset()
        return frozenset(name.removesuffix(".html") for name in names if name.endswith(".html"))

    def json(self, rollout_id: str) -> Path:
        """Return the path of the report for programs."""
        return self.directory / f"{rollout_id}.json"

    def readings(self, rollout_id: str) -> Path:
        """Return the path of the figures of every turn."""
        return self.directory / f"{rollout_id}.readings.jsonl"

    def write(self, document: ReportDocument) -> None:
        """Write both, each whole or not at all."""
        from isshoni.engine.rollout_report.render import render_rollout  # slow to load

        self.directory.mkdir(parents=True, exist_ok=True)
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
        _replace(self.json(document.report.id), encoded)
        _replace(self.html(document.report.id), render_rollout(document).encode())


class ReportWriter:
    """A `Companion` that writes `{id}.html` and `{id}.json`."""

    def __init__(self, files: ReportFiles, environment: Environment) -> None:
        self._files = files
        self._environment = environment
        self._log: ReadingLog | None = None
        self._tail: asyncio.Task[list[str]] | None = None

    def see(self, turn: TurnReport) -> None:
        """Store the figures, and the candidate's last log lines before a rollback stops it."""
        if any(event.what == "rollback" for event in turn.events):
            self._tail = asyncio.create_task(self._read_log(turn.rollout))
        log = self._log or ReadingLog(self._files.readings(turn.rollout.id))
        self._log = log
        if turn.events or log.is_due(turn.at, turn.rollout.plan.observe_seconds):
            log.append(take_reading(turn, counters=bool(turn.events) or log.with_counters))

    async def finish(self, rollout: Rollout) -> None:
        """Write the report of a rollout that has ended."""
        if rollout.outcome == "running":
            return
        log_lines = await self._find_log_lines(rollout)
        document = make_document(
            report_rollout(rollout, rollout.ended or rollout.began),
            read_readings(self._files.readings(rollout.id)),
            self._environment.journal.read_records(rollout.id),
            log_lines,
        )
        self._files.write(document)

    async def _find_log_lines(self, rollout: Rollout) -> Sequence[str]:
        if rollout.rollback is None and rollout.outcome != "stuck":
            return ()
        # An engine that took over did not see it begin: then the log as it is now.
        return await (self._tail or self._read_log(rollout))

    async def _read_log(self, rollout: Rollout) -> list[str]:
        try:
            async with asyncio.timeout(LOG_SECONDS):
                lines = await self._environment.compute.tail_log(rollout.candidate, LOG_LINES)
                return keep_since(lines, rollout.began)
        except (EnvironmentFault, TimeoutError) as fault:
            return [f"(the log of {rollout.candidate} could not be read: {fault})"]


class _LogLines(msgspec.Struct):
    log_lines: list[str] = []


def read_last_lines(files: ReportFiles, report: RolloutReport) -> list[str]:
    """Return the last log lines of a candidate that was rolled back, from the written report."""
    if report.outcome not in ("rolled_back", "stuck"):
        return []
    try:
        document = msgspec.json.decode(files.json(report.id).read_bytes(), type=_LogLines)
    except (OSError, msgspec.DecodeError, UnicodeError):  # no report could be written
        return []
    return document.log_lines[-SHOWN_LINES:]


def keep_since(lines: Sequence[str], at: float) -> list[str]:
    """Return the lines written since a moment, by the times that they begin with.

    A slot's log continues from release to release. Lines without a time stay with the lines
    around them.
    """
    began = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    older = [number for number, line in enumerate(lines) if _TIME.match(line) and line < began]
    return list(lines[older[-1] + 1 if older else 0 :])


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
