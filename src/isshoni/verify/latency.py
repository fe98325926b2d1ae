"""Delivery times of every message to every user, kept in two flat arrays."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Self

import msgspec

from isshoni.verify.percentiles import Percentiles, calculate_percentiles

Window = tuple[float, float]
"""From and to, in seconds of the run."""


class LatencyBucket(msgspec.Struct, frozen=True):
    """The deliveries of messages sent within one slice of time."""

    at: float
    p50: float
    p99: float
    count: int


class LatencySeries:
    """When each delivered message was sent, and how long it took; 12 bytes each."""

    _BYTES_EACH = 12

    def __init__(self) -> None:
        self._sent_at = array("d")
        self._took_ms = array("f")

    def __len__(self) -> int:
        return len(self._sent_at)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Return the series that `to_bytes` encoded on this machine."""
        series = cls()
        split = len(encoded) * series._sent_at.itemsize // cls._BYTES_EACH
        series._sent_at.frombytes(encoded[:split])
        series._took_ms.frombytes(encoded[split:])
        return series

    def to_bytes(self) -> bytes:
        """Encode the series for another process of this machine."""
        return self._sent_at.tobytes() + self._took_ms.tobytes()

    def extend(self, more: "LatencySeries") -> None:
        """Add all deliveries of another series."""
        self._sent_at.extend(more._sent_at)
        self._took_ms.extend(more._took_ms)

    def record(self, sent_at: float, delivered_at: float) -> None:
        """Record one delivery."""
        self._sent_at.append(sent_at)
        self._took_ms.append((delivered_at - sent_at) * 1000)

    def within(self, windows: Sequence[Window]) -> Percentiles:
        """Return the percentiles of the messages that were sent within any of `windows`."""
        return calculate_percentiles(
            took for at, took in self._pairs() if any(a <= at < b for a, b in windows)
        )

    def outside(self, windows: Sequence[Window]) -> Percentiles:
        """Return the percentiles of the messages that were sent within none of `windows`."""
        return calculate_percentiles(
            took for at, took in self._pairs() if not any(a <= at < b for a, b in windows)
        )

    def buckets(self, width_seconds: float) -> list[LatencyBucket]:
        """Return the percentiles of each slice of the run; empty slices are left out."""
        slices: dict[int, list[float]] = {}
        for at, took in self._pairs():
            slices.setdefault(int(at // width_seconds), []).append(took)
        return [
            LatencyBucket(number * width_seconds, found.p50 or 0.0, found.p99 or 0.0, found.count)
            for number, found in (
                (number, calculate_percentiles(slices[number])) for number in sorted(slices)
            )
        ]

    def _pairs(self) -> Iterator[tuple[float, float]]:
        return zip(self._sent_at, self._took_ms, strict=True)
