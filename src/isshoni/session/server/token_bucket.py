"""Limit how fast one connection may send: a token bucket."""

from dataclasses import dataclass

_ROUNDING_SECONDS = 1e-6
"""Seconds of rounding error: clocks of machines that run for long lose precision in a float."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit: `per_second` on average, and up to `burst` at once."""

    per_second: float
    burst: float


class TokenBucket:
    """A bucket that fills by itself; time is passed in, and nothing runs between frames.

    Kept as one number, when it will be full (the "virtual scheduling" form of the generic
    cell rate algorithm, ITU-T I.371): there is one of these for each rate and connection.
    """

    __slots__ = ("_full_at", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at = 0.0

    def take(self, now: float, cost: float = 1.0) -> float:
        """Remove `cost` tokens and return 0, or return the seconds until there are enough.

        In the second case none is removed. A `cost` above the burst needs a full bucket, and
        leaves it with less than nothing.
        """
        rate, full_at = self._rate, self._full_at
        # `wait_for` written out for a bucket that is full, as it is for most frames.
        if full_at <= now and cost <= rate.burst:
            self._full_at = now + cost / rate.per_second
            return 0.0
        wait = self.wait_for(now, cost)
        if wait == 0.0:
            self._full_at = max(full_at, now) + cost / rate.per_second
        return wait

    def put_back(self, cost: float = 1.0) -> None:
        """Add tokens that `take` has just removed."""
        self._full_at -= cost / self._rate.per_second

    def wait_for(self, now: float, cost: float) -> float:
        """Return the seconds until the bucket has `cost` tokens, or is full if that is fewer."""
        rate = self._rate
        missing = min(cost, rate.burst) - rate.burst
        wait = max(self._full_at - now, 0.0) + missing / rate.per_second
        return wait if wait > _ROUNDING_SECONDS else 0.0
