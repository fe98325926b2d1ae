"""Kill a program that hangs: its process exists, but it answers no request."""

import logging

from isshoni.environments.local.process import Process
from isshoni.environments.local.programs import Program
from isshoni.environments.local.pulse import Pulse, make_pulse

ABORT_SECONDS = 2.0
"""Seconds from SIGABRT, at which a program can log where it hangs, to SIGKILL."""

logger = logging.getLogger("supervisor")


class HangWatch:
    """Watches one process until it ends; each process needs its own watch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pulse: Pulse | None = None
        self._kill_at: float | None = None
        self.reason: str | None = None
        """Why the process was ended; None if it was not."""

    def turn(self, program: Program, process: Process, now: float, *, answered: bool) -> bool:
        """Check once, and kill the process if it hangs; return True if it has ever answered.

        `answered`: it had answered before. A process that never answered is still starting.
        """
        if self._kill_at is not None:
            if now >= self._kill_at:
                process.kill_group()
            return answered
        if not program.pulse or not program.hang_seconds:
            self.close()
            return answered
        if self._pulse is None:
            self._pulse = make_pulse(program.pulse)
        self._pulse.turn(now)
        answered = answered or self._pulse.answered
        if answered and self._pulse.silent_seconds >= program.hang_seconds:
            self._end(program, process, now)
        return answered

    def close(self) -> None:
        """Stop checking."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    def _end(self, program: Program, process: Process, now: float) -> None:
        self.reason = f"it hung: no answer for {program.hang_seconds:g} s, so it was ended"
        logger.warning("%s (process %d): %s", self._name, process.pid, self.reason)
        self._kill_at = now + ABORT_SECONDS
        process.abort()
