"""Which messages came by both programs while a client was connected to both."""

from collections import deque
from collections.abc import Hashable

from isshoni.relay.core.sides import Side


class Overlap:
    """A multiset of the messages that one side delivered and the other one did not yet.

    A message is known by a key: its content, or an id that is in it. It is dropped if the other
    side has delivered one of the same key within `window_seconds`, once for each.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._unmatched: dict[tuple[Side, Hashable], deque[float]] = {}
        self._order: deque[tuple[float, tuple[Side, Hashable]]] = deque()
        self.dropped = 0

    def is_repeat(self, side: Side, key: Hashable, now: float) -> bool:
        """True if the other side has delivered this message already; `now` in seconds."""
        self._forget_old(now)
        waiting = self._unmatched.get((side.other, key))
        if waiting:
            waiting.popleft()
            self.dropped += 1
            return True
        self._unmatched.setdefault((side, key), deque()).append(now)
        self._order.append((now, (side, key)))
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
        while self._order and now - self._order[0][0] > self._window_seconds:
            at, name = self._order.popleft()
            waiting = self._unmatched.get(name)
            if waiting and waiting[0] == at:
                waiting.popleft()
            if not waiting:
                self._unmatched.pop(name, None)
