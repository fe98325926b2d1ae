"""The presence of Yjs clients (y-protocols awareness) while they move between two programs.

A program announces that a client has left when its connection closes, with the clock that it
last had. So the client's own announcements get a higher clock with each move; its own state,
when it comes back to it, gets its own clock again. News that other clients have left is kept
back for a while, as they may be moving, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from isshoni.session.server.yjs_update import Announcement

LEFT = b"null"
"""The state of a client that has left."""
KEEP_SECONDS = 3.0
"""How long the news that another client has left is kept back while clients move."""
MOST_OWN, MOST_OTHERS = 100, 10_000
"""How many clients behind one socket, and how many others, are remembered."""


@dataclass
class Moves:
    """When a client of this relay last moved; shared by the profiles of all its clients."""

    last_at: float = float("-inf")


@dataclass(slots=True)
class _Own:
    """A client behind this socket."""

    last: Announcement
    """What it last announced, with the clock that the programs know."""
    shift: int = 0
    """How much higher that clock is than the client's own."""


class Presence:
    """The clients that one socket announces, and those whose leaving is kept back.

    The client that a socket announces first is its own, and so is each that no program has
    announced to it before. The others are states of peers, which clients send back.
    """

    __slots__ = ("_alive", "_kept", "_moves", "_others", "_own", "must_announce")

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._own: dict[int, _Own] = {}
        self._others: set[int] = set()
        self._alive: dict[int, tuple[int, int]] = {}
        """Of other clients that are present: the newest program that said so, and their clock."""
        self._kept: dict[int, tuple[int, float]] = {}
        """Of clients whose leaving is kept back: the clock, and until when."""
        self.must_announce = False
        """True if the program believes that a client of this socket has left."""

    def from_client(self, news: Sequence[Announcement]) -> list[Announcement]:
        """Return what a program is sent for announcements of the client."""
        return [self._shifted(one) for one in news]

    def _shifted(self, one: Announcement) -> Announcement:
        own = self._own.get(one.client)
        if own is None:
            if one.state == LEFT or not self._may_be_own(one.client):
                return one
            own = self._own[one.client] = _Own(one)
        own.last = replace(one, clock=one.clock + own.shift)
        return own.last

    def _may_be_own(self, client: int) -> bool:
        if not self._own:
            return True
        has_room = len(self._own) < MOST_OWN and len(self._others) < MOST_OTHERS
        return has_room and client not in self._others

    def from_program(
        self, news: Sequence[Announcement], now: float, number: int = 0
    ) -> list[Announcement]:
        """Return what the client is sent for announcements of a program, by its number."""
        return [one for found in news if (one := self._passed(found, now, number)) is not None]

    def _passed(self, one: Announcement, now: float, number: int) -> Announcement | None:
        is_moving_time = now - self._moves.last_at < KEEP_SECONDS
        own = self._own.get(one.client)
        if own is not None:
            if one.state == LEFT and own.last.state != LEFT and is_moving_time:
                self.must_announce = self.must_announce or one.clock >= own.last.clock
                return None
            shifted = one.clock - own.shift
            return replace(one, clock=shifted) if shifted >= 0 else None
        if len(self._others) < MOST_OTHERS:
            self._others.add(one.client)
        if one.state == LEFT and is_moving_time:
            # A program can learn from the next one of a client's return before it handles the end
            # of its connection: then it takes the newer clock for the one that has left.
            newest, clock = self._alive.get(one.client, (number, -1))
            if newest > number and clock >= one.clock:
                return None
            self._kept[one.client] = (one.clock, now + KEEP_SECONDS)
            return None
        self._record_state(one, number)
        kept = self._kept.get(one.client)
        if kept is not None and one.clock >= kept[0]:
            del self._kept[one.client]
        return one

    def _record_state(self, one: Announcement, number: int) -> None:
        if one.state == LEFT:
            self._alive.pop(one.client, None)
        elif one.client in self._others and number >= self._alive.get(one.client, (0, 0))[0]:
            self._alive[one.client] = (number, one.clock)

    def announce(self) -> list[Announcement]:
        """Return the presence of this socket's clients, newer than the news of their leaving."""
        self.must_announce = False
        present = [own for own in self._own.values() if own.last.state != LEFT]
        for own in present:
            own.shift += 2
            own.last = replace(own.last, clock=own.last.clock + 2)
        return [own.last for own in present]

    def overdue(self, now: float) -> list[Announcement]:
        """Return the news that clients have left, once it was kept back long enough."""
        due = [client for client, (_, until) in self._kept.items() if now >= until]
        return [Announcement(client, self._kept.pop(client)[0], LEFT) for client in due]
