"""Percentiles of the values of the last seconds: one outlier is no trend."""

import math
from collections import deque
from collections.abc import Callable
from time import monotonic

_MOST = 10_000


class RecentValues:
    """The values of the last `window_seconds`, at most the newest 10,000."""

    def __init__(self, window_seconds: float = 3.0, clock: Callable[[], float] = monotonic) -> None:
        self._window_seconds = window_seconds
        self._clock = clock
        self._values: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def add(self, value: float) -> None:
        """Add a value."""
        self._values.append((self._clock(), value))

    def percentile(self, pct: float) -> float:
        """Return the value that `pct` percent do not exceed; 0.0 when there is none."""
        oldest = self._clock() - self._window_seconds
        while self._values and self._values[0][0] < oldest:
            self._values.popleft()
        ordered = sorted(value for _, value in self._values)
        return ordered[max(0, math.ceil(len(ordered) * pct / 100) - 1)] if ordered else 0.0
