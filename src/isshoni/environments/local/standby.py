"""The spare of one program: a second process that takes over at the death of the first.

It needs nobody's word for that (backend/process/succession.py); here it is started, found
again, ended with the program, and given to the keeper when it has taken over.
"""

from isshoni.environments.local.process import CannotStart, Process, StillHeld, spawn
from isshoni.environments.local.programs import Program, ProgramFiles

MAX_FAILURES = 3
"""Spares that may die while they wait; a release from before spares cannot be one."""


class Standby:
    """Keeps a spare beside a program, or none."""

    def __init__(self, name: str, files: ProgramFiles) -> None:
        self._lock_paths = files.lock_paths(name)
        self._process: Process | None = None
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """Give the spare's pid, if there is one."""
        return self._process.pid if self._process else None

    def adopt(self, process: Process) -> None:
        """Take a spare that an earlier supervisor started."""
        self._process = process

    def keep(self, program: Program, beside: Process) -> None:
        """Start a spare unless one waits, or those before it could not."""
        if self._process is not None:
            if self._process.exit_words() is None:
                return
            self._forget()
            self._failures += 1
        if beside.line is not None and self._failures < MAX_FAILURES:
            self._start(program, beside)

    def end(self) -> None:
        """End the spare. It is still there for a moment: `take` tells."""
        if self._process is not None:
            self._process.terminate()

    def take(self) -> Process | None:
        """Give the spare up, which serves by now; None: there is none, or it is dead."""
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
            except StillHeld:  # by the process that it stands by for
                continue
            except CannotStart:
                break
        self._failures += 1
