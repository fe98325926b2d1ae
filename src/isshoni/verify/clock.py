"""The one clock of a run."""

import time


class RunClock:
    """Seconds since the run began; never steps back, and converts wall-clock times."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.started_at_unix = time.time()

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self._started

    def from_unix(self, at: float) -> float:
        """Convert a time in seconds since 1970 to this clock."""
        return at - self.started_at_unix

    def from_monotonic(self, at: float) -> float:
        """Convert a `time.monotonic()` of this machine to this clock."""
        return at - self._started
