"""Start and stop the spare of a program: a second process that takes over if the first dies.

The spare detects that by itself (backend/process/succession.py). This module starts it, finds
it again, stops it with the program, and hands it to the keeper once it has taken over. A new
revision of a program that `takes_over` is started beside it in the same way, and ends it.
"""

import socket
from pathlib import Path

from isshoni.environments.local.logs import last_words
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
        self._fault: str | None = None
        """How the last process that was to take over has ended."""
        self._replaces = ""
        self._log_start = 0

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
            self._start(program, beside.line)

    def replace(self, program: Program) -> str | None:
        """Start the process that takes over from the running one, unless one tries already.

        Return how the last one failed; None if none did. After some failures none is started.
        """
        if self._process is not None:
            words = self._process.exit_words()
            if words is None:
                return self._fault
            spoken = last_words(Path(program.log), since=self._log_start)
            self._fault = f"{words}: {spoken}" if spoken else words
            self._forget()
            self._failures += 1
        if self._replaces != program.revision:
            self._replaces, self._failures, self._fault = program.revision, 0, None
        if self._failures < MAX_FAILURES:
            path = Path(program.log)
            self._log_start = path.stat().st_size if path.exists() else 0
            self._start(program, None)
        return self._fault

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

    def _start(self, program: Program, line: socket.socket | None) -> None:
        for lock_path in self._lock_paths:
            try:
                self._process = spawn(program, lock_path, spare_of=line)
                return
            except StillHeld:  # by the process whose spare it is
                continue
            except CannotStart as fault:
                self._fault = str(fault)
                break
        self._failures += 1
