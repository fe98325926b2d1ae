"""Which messages came by several programs while a client was connected to more than one."""

from collections import deque
from collections.abc import Hashable
from hashlib import blake2b

from isshoni.relay.core.behind import Behind, Lag

MOST_KEPT = 50_000
"""Messages that are remembered for one client; the oldest are forgotten."""
_LONG_BYTES = 64
"""A longer content is remembered by its digest."""


class Overlap:
    """The messages that were delivered not long ago, and by which connections to programs.

    A message is known by a key: its content, or an id that is in it. A connection repeats it if
    another one has delivered it within `window_seconds`, and this one not yet: once for each
    time. So also a third connection is compared, when a client moves back at once.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._times: dict[Hashable, list[int]] = {}
        """By key, the times that it was delivered, as numbers that count up: the first that is
        remembered, the next one, and for each connection its number and its own next one."""
        self._order: deque[tuple[float, Hashable]] = deque()
        self.dropped = 0
        self.since: float | None = None
        """While messages wait for the switch of a move: when it began. None is forgotten then."""
        self.behind: Behind | None = None
        """Before the switch, once both programs serve the client."""

    def is_repeat(self, number: int, key: Hashable, now: float) -> bool:
        """True if another connection than `number` has delivered this message already."""
        self._forget_old(now)
        key = _shorten(key)
        times = self._times.setdefault(key, [0, 0])
        at = next((n for n in range(2, len(times), 2) if times[n] == number), 0)
        mine = max(times[0], times[at + 1]) if at else times[0]
        is_repeat = mine < times[1]
        if self.behind is not None:
            self.behind.old_delivered(key, now)
        if is_repeat:
            self.dropped += 1
        else:
            times[1] += 1
            self._order.append((now, key))
        if at:
            times[at + 1] = mine + 1
        else:
            times += (number, mine + 1)
        return is_repeat

    def compare(self, now: float) -> None:
        """Find out from now on whether the old program is behind the new one."""
        self._forget_old(now)
        self.behind = Behind(now, {key: at for at, key in self._order})

    def keep_back(self, key: Hashable, now: float) -> None:
        """Record a message of the new program that waits for the switch."""
        if self.behind is not None:
            key = _shorten(key)
            self.behind.new_delivered(key, now)

    def widen(self, seconds: float) -> None:
        """Remember messages for so long from now on."""
        self._window_seconds = seconds

    def is_behind(self, lag: Lag, now: float) -> bool:
        """True while the old program may be behind with what the new one has delivered."""
        return self.behind is not None and self.behind.is_behind(lag, now)

    def _forget_old(self, now: float) -> None:
        now = now if self.since is None else self.since
        while self._order and (
            now - self._order[0][0] > self._window_seconds or len(self._order) > MOST_KEPT
        ):
            _, key = self._order.popleft()
            times = self._times[key]
            times[0] += 1
            if times[0] == times[1]:
                del self._times[key]


def _shorten(key: Hashable) -> Hashable:
    if isinstance(key, bytes):
        return blake2b(key, digest_size=16).digest() if len(key) > _LONG_BYTES else key
    return tuple(map(_shorten, key)) if isinstance(key, tuple) else key
