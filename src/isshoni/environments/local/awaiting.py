"""Wait until a program is ready, and report why it is not ready yet."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local.logs import tail
from isshoni.environments.local.programs import Observed, ProgramFiles
from isshoni.environments.progress import ReportStep
from isshoni.environments.waiting import wait_until

READY_SECONDS = 60.0
REPORT_AFTER_SECONDS = 5.0
"""After this time the reason is printed, and again whenever it changes."""
_HOPELESS_RESTARTS = 3
"""The wait fails after this many deaths of the program."""

LOG_LINES = 10
"""How many lines of its log are in the error."""

FindTrouble = Callable[[], Awaitable[str | None]]


class Waiter:
    """Waits until one program is ready."""

    def __init__(self, name: str, files: ProgramFiles, progress: ReportStep) -> None:
        self._name = name
        self._files = files
        self._progress = progress
        before = files.observed(name)
        self._revision = (wanted := files.wanted(name)) and wanted.revision
        same = before is not None and before.revision == self._revision
        self._restarts_before = before.restarts if before is not None and same else 0
        self._trouble: str | None = None
        self._reported: str | None = None

    async def wait(self, find_trouble: FindTrouble, *, more_seconds: float = 0.0) -> None:
        """Return once the program is ready; raises `ProgramNotReady` with its reason."""
        began = asyncio.get_running_loop().time()
        limit_seconds = READY_SECONDS + more_seconds

        async def settled() -> bool:
            seen = self._see()
            if self._is_hopeless(seen):
                return True
            if seen is None or seen.pid is None:
                return False
            self._trouble = await find_trouble()
            if asyncio.get_running_loop().time() - began > REPORT_AFTER_SECONDS:
                self._report_trouble()
            return self._trouble is None

        await wait_until(settled, limit_seconds)
        seen = self._see()
        if seen is None or seen.pid is None or await find_trouble() is not None:
            log = self._files.log_path(self._name)
            why, last = self._describe(seen, limit_seconds), self._read_last_lines(seen)
            raise ProgramNotReady(self._name, why, str(log), last)

    def _see(self) -> Observed | None:
        """Return the observed program; None while a program of an earlier revision runs."""
        seen = self._files.observed(self._name)
        return seen if seen is not None and seen.revision == self._revision else None

    def _is_hopeless(self, seen: Observed | None) -> bool:
        return seen is not None and seen.restarts >= self._restarts_before + _HOPELESS_RESTARTS

    def _report_trouble(self) -> None:
        if self._trouble != self._reported and self._trouble is not None:
            self._progress(f"{self._name} is not ready yet: {self._trouble}")
        self._reported = self._trouble

    def _read_last_lines(self, seen: Observed | None) -> list[str]:
        """Return the last lines of its log since it was started; none if it is not started."""
        if seen is None:
            return []
        return tail(self._files.log_path(self._name), LOG_LINES, since=seen.log_start)

    def _describe(self, seen: Observed | None, limit_seconds: float) -> str:
        dead = seen is not None and (seen.pid is None or self._is_hopeless(seen))
        if seen is not None and seen.last_exit and (dead or not self._trouble):
            return f"it ended with {seen.last_exit}"
        said = f"; {self._trouble}" if self._trouble else ""
        return f"not in {limit_seconds:g} seconds{said}"


async def find_no_trouble() -> str | None:
    """Return None: for a program that has nothing to ask, only to run."""
    return None
