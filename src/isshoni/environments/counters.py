"""Counters that keep growing when their source restarts from zero."""

from collections.abc import Callable, Mapping


class GrowingCounters:
    """Adds up counters across restarts of their source."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def grow(
        self, seen: Mapping[str, int], is_unknown: Callable[[str], bool] = lambda name: False
    ) -> dict[str, int]:
        """Return the totals, given the source's current values.

        A counter that is missing in `seen` was restarted, unless it `is_unknown`: then its last
        value still counts.
        """
        kept = {n: v for n, v in self._last.items() if n not in seen and is_unknown(n)}
        seen = {**kept, **seen}
        for name, last in self._last.items():
            if seen.get(name, 0) < last:
                self._before[name] = self._before.get(name, 0) + last
        self._last = dict(seen)
        names = self._before.keys() | seen.keys()
        return {name: self._before.get(name, 0) + seen.get(name, 0) for name in names}
