"""Start and stop the spare of a program: a second process that takes over if the first dies.

The spare detects that by itself (backend/process/succession.py). This module starts it, finds
it again, stops it with the program, and hands it to the keeper once it has taken over.
"""

from isshoni.environments.local.process import CannotStart, Process, StillHeld, spawn
from isshoni.environments.local.programs import Program, ProgramFiles

MAX_FAILURES = 3
"""Spares that may die while waiting; releases from before spares cannot be one."""


class Standby:
    """Keeps at most one spare beside a program."""

    def __init__(self, name: str, files: ProgramFiles) -> None:
        self._lock_paths = files.lock_paths(name)
        self._process: Process | None = None
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """Return the spare's pid; None if there is no spare."""
        return self._process.pid if self._process else None

    def adopt(self, process: Process) -> None:
        """Use a spare that an earlier supervisor started."""
        self._process = process

    def keep(self, program: Program, beside: Process) -> None:
        """Start a spare unless one is waiting, or too many have died."""
        if self._process is not None:
            if self._process.exit_words() is None:
                return
            self._forget()
            self._failures += 1
        if beside.line is not None and self._failures < MAX_FAILURES:
            self._start(program, beside)

    def end(self) -> None:
        """Send SIGTERM to the spare; `remove_live` returns it until it has ended."""
        if self._process is not None:
            self._process.terminate()

    def remove_live(self) -> Process | None:
        """Remove and return the spare, which has taken over; None if there is no live one."""
        process = self._process
        if process is None or process.exit_words() is not None:
            self._forget()
            return None
        self._process, self._failures = None, 0
        return process

    def _forget(self) -> None:
        if self._process is not None:
            self._process.kill_group()
            self._process.close_line()
            self._process = None

    def _start(self, program: Program, beside: Process) -> None:
        for lock_path in self._lock_paths:
            try:
                self._process = spawn(program, lock_path, spare_of=beside.line)
                return
            except StillHeld:  # by the process whose spare it is
                continue
            except CannotStart:
                break
        self._failures += 1
