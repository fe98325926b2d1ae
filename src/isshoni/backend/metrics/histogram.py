"""Durations by fixed bounds: cheap to count, and to compare between two processes."""

from bisect import bisect_left

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How many durations were at most each bound; it only grows."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    def buckets(self) -> dict[str, int]:
        """Return the cumulative counts by bound, `+Inf` last."""
        names = (*map(str, BOUNDS_SECONDS), "+Inf")
        cumulative, so_far = {}, 0
        for name, count in zip(names, self._counts, strict=True):
            so_far += count
            cumulative[name] = so_far
        return cumulative
