"""Admit restores in order, only as many at once as keeps each of them short.

When a server comes back, all of its clients ask at the same moment. Answered side by side, all
restores would end together, at the end: each client would have waited for all the others, and those
that give up after some seconds would all give up. In a queue half of them wait half of the time.
"""

import asyncio
import random
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush

TARGET_SECONDS = 0.05
"""A restore that takes longer shows that too many run at once."""
FEWEST, MOST = 8.0, 64.0
"""Bounds of the number that runs at once: enough to use the time that Redis takes to answer."""
_FIRST_LIMIT = 16.0
_SHRINK = 0.8
PATIENCE_SECONDS = 1.5
"""A longer wait is announced to the client; ours give up after five silent seconds."""
LONGEST_PAUSE_SECONDS = 30.0
KEPT_SECONDS = 30.0
"""How long the place of a client is kept whose connection ended while it waited."""
_MEASURED_SECONDS = 2.0
"""The time between two ends is an average over the last so many seconds with a queue, or half."""
_ROOM, _ROOM_SECONDS, _SPREAD_SECONDS = 2.0, 3.0, 2.0
"""The announced pause: this many times the estimate, these seconds, and up to these at random. A
client asks again after it only if no answer came, so a pause that is too long does no harm."""

AnnounceWait = Callable[[int], None]
"""Announces to a client after how many milliseconds without an answer it may ask again."""


@dataclass(order=True, slots=True)
class Place:
    """The place of one client in the queue."""

    number: int
    key: Hashable = field(compare=False)
    turn: "asyncio.Future[None] | None" = field(default=None, compare=False)
    began: float = field(default=0.0, compare=False)
    waited_seconds: float = field(default=0.0, compare=False)
    """How long it was in the queue."""

    @property
    def is_over(self) -> bool:
        """True if its turn has come, or its connection has ended."""
        return self.turn is not None and self.turn.done()


class RestoreGate:
    """The queue of all restores of this process: first come, first served.

    The number that runs at once follows the time that each takes. A client whose connection ends
    while it waits keeps its number for a while: on the next one it is not behind all that came
    after it.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._running = 0
        self._limit = _FIRST_LIMIT
        self._shrunk_at = 0.0
        self._waiting: list[Place] = []
        self._last_number = 0
        self._numbers: dict[Hashable, tuple[int, float]] = {}
        """The numbers of clients that wait or may come back, and until when they are kept."""
        self._next_cleaning = 0.0
        self._busy_seconds, self._ended, self._last_end = 0.2, 100.0, 0.0

    @property
    def limit(self) -> int:
        """The number of restores that may run at once now."""
        return int(self._limit)

    @property
    def queued(self) -> int:
        """The number of clients that wait for their turn."""
        return len(self._waiting)

    def take_place(self, key: Hashable) -> Place:
        """Return the place that is kept for a client, or a new one at the end of the queue."""
        kept = self._numbers.get(key)
        if kept is not None and kept[1] > self._clock():
            return Place(kept[0], key)
        self._last_number += 1
        return Place(self._last_number, key)

    async def enter(self, place: Place, announce: AnnounceWait | None = None) -> None:
        """Wait for the turn of a place, which `leave` ends, and announce a long wait."""
        if self._running < self.limit and not self._is_behind(place):
            self._begin(place)
            return
        if announce is not None:
            expected = len(self._waiting) * self._busy_seconds / self._ended
            if expected >= PATIENCE_SECONDS:
                # Spread, so that clients that came in one moment would not ask again in one.
                pause = expected * _ROOM + _ROOM_SECONDS + _SPREAD_SECONDS * self._uniform()
                announce(round(min(pause, LONGEST_PAUSE_SECONDS) * 1000))
        await self._wait(place)

    def leave(self, place: Place, *, done: bool = True) -> None:
        """End the turn of a place; `done` if the restore was carried out."""
        now = self._clock()
        self._running -= 1
        if done:
            self._measure(now)
            self._adjust(now, now - place.began)
        self._admit()

    def keep(self, place: Place) -> None:
        """Keep the number of a client that has gone, until it comes back."""
        self._numbers[place.key] = (place.number, self._clock() + KEPT_SECONDS)
        self._clean()

    def _is_behind(self, place: Place) -> bool:
        while self._waiting and self._waiting[0].is_over:
            heappop(self._waiting)
        return bool(self._waiting) and self._waiting[0] < place

    def _begin(self, place: Place) -> None:
        self._running += 1
        self._numbers.pop(place.key, None)
        place.began = self._clock()

    async def _wait(self, place: Place) -> None:
        asked_at = self._clock()
        if not self._waiting:
            self._last_end = asked_at
        place.turn = asyncio.get_running_loop().create_future()
        self._numbers[place.key] = (place.number, float("inf"))
        heappush(self._waiting, place)
        try:
            await place.turn
        except asyncio.CancelledError:
            if not place.turn.cancelled():  # its turn came at the same moment
                self.leave(place, done=False)
            self.keep(place)
            raise
        place.waited_seconds += self._clock() - asked_at

    def _admit(self) -> None:
        while self._waiting and self._running < self.limit:
            place = heappop(self._waiting)
            if place.turn is not None and not place.is_over:
                self._begin(place)
                place.turn.set_result(None)

    def _measure(self, now: float) -> None:
        """Update the average time between two ends, from which a wait is estimated."""
        if self._waiting:
            self._busy_seconds += now - self._last_end
            self._ended += 1
            if self._busy_seconds > _MEASURED_SECONDS:
                self._busy_seconds /= 2
                self._ended /= 2
        self._last_end = now

    def _adjust(self, now: float, seconds: float) -> None:
        if seconds <= TARGET_SECONDS:
            # Only a limit that is reached has shown that it is not too high.
            if self._running + 1 >= self.limit:
                self._limit = min(MOST, self._limit + 1 / self._limit)
        elif now - self._shrunk_at >= TARGET_SECONDS:
            self._limit, self._shrunk_at = max(FEWEST, self._limit * _SHRINK), now

    def _clean(self) -> None:
        now = self._clock()
        if now < self._next_cleaning:
            return
        self._next_cleaning = now + KEPT_SECONDS
        self._numbers = {key: kept for key, kept in self._numbers.items() if kept[1] > now}
