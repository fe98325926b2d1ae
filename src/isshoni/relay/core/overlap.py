"""Which messages came by both programs while a client was connected to both."""

from collections import deque
from collections.abc import Hashable
from hashlib import blake2b

from isshoni.relay.core.sides import Side

MOST_KEPT = 50_000
"""Messages that are remembered for one client; the oldest are forgotten."""
_LONG_BYTES = 64
"""A longer content is remembered by its digest."""


class Overlap:
    """A multiset of the messages that one side delivered and the other one did not yet.

    A message is known by a key: its content, or an id that is in it. It is dropped if the other
    side has delivered one of the same key within `window_seconds`, once for each.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._unmatched: dict[tuple[Side, Hashable], float | deque[float]] = {}
        """When each was delivered: a moment, or several if it was delivered more than once."""
        self._order: deque[tuple[float, tuple[Side, Hashable]]] = deque()
        self.dropped = 0

    def is_repeat(self, side: Side, key: Hashable, now: float) -> bool:
        """True if the other side has delivered this message already; `now` in seconds."""
        self._forget_old(now)
        key = _shorten(key)
        if self._remove_first((side.other, key)) is not None:
            self.dropped += 1
            return True
        name = (side, key)
        before = self._unmatched.get(name)
        if before is None:
            self._unmatched[name] = now
        elif isinstance(before, deque):
            before.append(now)
        else:
            self._unmatched[name] = deque((before, now))
        self._order.append((now, name))
        return False

    def swap_sides(self) -> None:
        """Let the new side be the old one of a next move; the present old side is forgotten."""
        kept = [(at, (Side.OLD, key)) for at, (side, key) in self._order if side is Side.NEW]
        unmatched = {
            (Side.OLD, key): times
            for (side, key), times in self._unmatched.items()
            if side is Side.NEW
        }
        self._order, self._unmatched = deque(kept), unmatched

    def _forget_old(self, now: float) -> None:
        while self._order and (
            now - self._order[0][0] > self._window_seconds or len(self._order) > MOST_KEPT
        ):
            at, name = self._order.popleft()
            times = self._unmatched.get(name)
            first = times[0] if isinstance(times, deque) else times
            if first == at:
                self._remove_first(name)

    def _remove_first(self, name: tuple[Side, Hashable]) -> float | None:
        """Forget the first of these messages and return its moment; None if there is none."""
        times = self._unmatched.get(name)
        if isinstance(times, deque):
            first = times.popleft()
            if not times:
                del self._unmatched[name]
            return first
        if times is not None:
            del self._unmatched[name]
        return times


def _shorten(key: Hashable) -> Hashable:
    if isinstance(key, bytes):
        return blake2b(key, digest_size=16).digest() if len(key) > _LONG_BYTES else key
    return tuple(map(_shorten, key)) if isinstance(key, tuple) else key
