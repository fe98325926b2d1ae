"""Measurements of the link to Redis, cheap enough to be always on."""

from collections import deque
from collections.abc import Callable
from time import monotonic


class SlidingWorst:
    """The greatest value of the last seconds; one bucket a second."""

    def __init__(self, window_seconds: int = 10, clock: Callable[[], float] = monotonic) -> None:
        self._window_seconds = window_seconds
        self._clock = clock
        self._buckets: deque[tuple[int, float]] = deque()

    def add(self, value: float) -> None:
        """Add a value."""
        second = int(self._clock())
        buckets = self._buckets
        if not buckets or buckets[-1][0] != second:
            self._forget_before(second - self._window_seconds)
            buckets.append((second, value))
        elif value > buckets[-1][1]:
            buckets[-1] = (second, value)

    @property
    def worst(self) -> float:
        """The greatest value of the window; 0.0 when there is none."""
        self._forget_before(int(self._clock()) - self._window_seconds)
        return max((value for _, value in self._buckets), default=0.0)

    def _forget_before(self, second: int) -> None:
        while self._buckets and self._buckets[0][0] <= second:
            self._buckets.popleft()


class RedisMeter:
    """Counters and latencies of all commands of one process to Redis."""

    def __init__(self) -> None:
        self.errors = 0
        """Commands that failed: refused, lost with a connection, or never sent."""
        self.reconnects = 0
        self.poison = 0
        """Publications that could not be understood, and were dropped."""
        self.writes_short_of_replicas = 0
        """Writes acknowledged on fewer replicas than wanted, as "best-effort" allows."""
        self.latency = SlidingWorst()
        """Seconds from the call to the answer."""
