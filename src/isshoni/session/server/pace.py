"""The pace of a move: how many clients may be asked, moved or closed now."""

from dataclasses import dataclass

_BURST_SECONDS = 0.1
"""The budget never exceeds what this many seconds add to it, so a late turn is no burst."""


@dataclass
class Pace:
    """The number of clients that may be asked now; it grows with time, up to a bound."""

    rate_per_second: float
    """May be changed at any time: the budget is kept, so a change causes no burst."""
    _budget: float = 1.0
    _at: float | None = None

    def earn(self, now: float) -> int:
        """Return how many clients may be asked now."""
        since = 0.0 if self._at is None else now - self._at
        self._at = now
        most = max(1.0, self.rate_per_second * _BURST_SECONDS)
        self._budget = min(most, self._budget + since * self.rate_per_second)
        return int(self._budget)

    def spend(self, count: int) -> None:
        """Subtract `count` clients that were asked or closed."""
        self._budget -= count
