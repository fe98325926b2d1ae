"""Exact percentiles, by nearest rank: every figure is one that was really seen."""

import math
from collections.abc import Iterable, Sequence

import msgspec


class Percentiles(msgspec.Struct, frozen=True):
    """The middle and the tail of some times, in milliseconds; None when there were none."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None
    count: int = 0


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0–1) of `ordered` does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def calculate_percentiles(values_ms: Iterable[float]) -> Percentiles:
    """Return exact percentiles; nothing is estimated."""
    ordered = sorted(values_ms)
    if not ordered:
        return Percentiles()
    return Percentiles(
        p50=round(percentile(ordered, 0.50), 3),
        p99=round(percentile(ordered, 0.99), 3),
        max=round(ordered[-1], 3),
        count=len(ordered),
    )
