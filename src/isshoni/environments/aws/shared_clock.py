"""The time that machines share: that of the service they all write to."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from isshoni.engine.steady_clock import read_time

RESOLUTION_SECONDS = 1.0
"""A `Date` header has whole seconds, cut off."""


class SharedClock:
    """How far this machine's clock is from the server's, as heard in its answers.

    A lease says when it ends by the server's clock, so two machines whose own clocks
    differ by minutes still agree on it, to within `margin_seconds`.
    """

    def __init__(self, now: Callable[[], float] = read_time) -> None:
        self._now = now
        self.offset_seconds = 0.0
        self.margin_seconds = 0.0
        """How much later than said a lease is taken for expired."""

    def hear(self, date: str | None) -> None:
        """Take the `Date` of an answer that has just come."""
        try:
            server = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        # In truth the server's clock read up to a second more than it said.
        self.offset_seconds = server + RESOLUTION_SECONDS / 2 - self._now()
        self.margin_seconds = RESOLUTION_SECONDS

    def to_shared(self, local: float) -> float:
        """Turn a time of this machine into the server's."""
        return local + self.offset_seconds

    def to_local(self, shared: float) -> float:
        """Turn a time of the server into this machine's."""
        return shared - self.offset_seconds
