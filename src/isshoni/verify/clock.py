"""The one clock of a run."""

import time


class RunClock:
    """Seconds since the run began; never steps back, and converts wall-clock times."""

    def __init__(self, started: float | None = None, started_at_unix: float | None = None) -> None:
        """Begin now, or when the clock of another process of this machine began."""
        self.started = time.monotonic() if started is None else started
        self.started_at_unix = time.time() if started_at_unix is None else started_at_unix

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self.started

    def from_unix(self, at: float) -> float:
        """Convert a time in seconds since 1970 to this clock."""
        return at - self.started_at_unix

    def from_monotonic(self, at: float) -> float:
        """Convert a `time.monotonic()` of this machine to this clock."""
        return at - self.started
