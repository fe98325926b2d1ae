"""Convert between this machine's time and that of the AWS service that all machines use."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from isshoni.engine.steady_clock import read_time

RESOLUTION_SECONDS = 1.0
"""A `Date` header has whole seconds, rounded down."""


class SharedClock:
    """Measures the difference between this machine's clock and the server's, from answers.

    A lease stores its end by the server's clock, so two machines whose clocks differ by
    minutes agree on it, to within `margin_seconds`.
    """

    def __init__(self, now: Callable[[], float] = read_time) -> None:
        self._now = now
        self.offset_seconds = 0.0
        self.margin_seconds = 0.0
        """A lease counts as expired this much after its stored end."""

    def measure(self, date: str | None) -> None:
        """Measure the difference from the `Date` of an answer that has just arrived."""
        try:
            server = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        # The server's clock was up to a second later than its header says.
        self.offset_seconds = server + RESOLUTION_SECONDS / 2 - self._now()
        self.margin_seconds = RESOLUTION_SECONDS

    def to_shared(self, local: float) -> float:
        """Convert a time of this machine into the server's."""
        return local + self.offset_seconds

    def to_local(self, shared: float) -> float:
        """Convert a time of the server into this machine's."""
        return shared - self.offset_seconds
