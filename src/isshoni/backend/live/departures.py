"""Keep a list of the connections that still have to move, so that a turn costs what it moves.

Connections are added when they open and removed when they have ended. What a turn looks at
are the connections that are due and those that it asks, never all of them.
"""

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from isshoni.session.server.share import is_in_share


class _Client(Protocol):
    @property
    def can_migrate(self) -> bool:
        """True if the client understands `migrate`."""

    @property
    def can_regions(self) -> bool:
        """True if it understands a `migrate` with an address."""


class Member(Hashable, Protocol):
    """A connection of a session."""

    @property
    def session_id(self) -> str:
        """The session that it is in."""

    @property
    def client(self) -> _Client:
        """What is known of its client."""


C = TypeVar("C", bound=Member)


@dataclass(frozen=True)
class DueConnections(Generic[C]):
    """The connections to ask, to ask once more, and to close now."""

    ask: list[C]
    again: list[C]
    close: list[C]


class _Timers(Generic[C]):
    """A time for each connection; setting one again replaces the one before."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, C]] = []
        self._times: dict[C, float] = {}
        self._number = 0

    def __contains__(self, connection: C) -> bool:
        return connection in self._times

    def __len__(self) -> int:
        return len(self._times)

    def set(self, connection: C, at: float) -> None:
        self._number += 1
        self._times[connection] = at
        heapq.heappush(self._heap, (at, self._number, connection))

    def cancel(self, connection: C) -> bool:
        return self._times.pop(connection, None) is not None

    def get(self, connection: C) -> float:
        return self._times[connection]

    def next_at(self) -> float | None:
        """Return the earliest time; None if there is none."""
        heap = self._heap
        while heap and self._times.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)  # it was cancelled or replaced
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> C | None:
        """Return a connection whose time has come, and forget its time; None if there is none."""
        at = self.next_at()
        if at is None or at > now:
            return None
        connection = heapq.heappop(self._heap)[2]
        del self._times[connection]
        return connection


class Departures(Generic[C]):
    """The connections that an order concerns, and how far each of them is."""

    def __init__(self, share_pct: float, *, to_region: bool = False) -> None:
        self._share_pct = share_pct
        self._to_region = to_region
        self._last: dict[C, None] = {}
        """Those that cannot move to a region: they are closed once the others have moved."""
        self._pending: OrderedDict[str, dict[C, None]] = OrderedDict()
        self._pending_count = 0
        self._begun: set[str] = set()
        """Sessions of which a connection was asked: the rest of them comes first."""
        self._again: _Timers[C] = _Timers()
        self._deadlines: _Timers[C] = _Timers()
        self._late: set[C] = set()
        """Those that had their time, and are not closed because the order is for a share."""
        self._unable: set[C] = set()
        """Those that cannot move (yet), when the order is for a share."""
        self._closing: set[C] = set()

    @property
    def is_whole(self) -> bool:
        """True if every connection must move or be closed."""
        return self._share_pct >= 100.0

    @property
    def waiting(self) -> int:
        """The number of connections that were asked and still have time to move."""
        return len(self._deadlines)

    @property
    def remaining(self) -> int:
        """The number of connections that may still move, or have not ended yet."""
        waiting = len(self._deadlines) + len(self._last)
        return self._pending_count + waiting + len(self._closing)

    @property
    def is_idle(self) -> bool:
        """True if there is nothing to do before a time comes or a connection opens."""
        return not (self._pending_count or self._is_turn_of_last)

    @property
    def has_last(self) -> bool:
        """True if there are connections that are closed once the others have moved."""
        return bool(self._last)

    @property
    def _is_turn_of_last(self) -> bool:
        return bool(self._last) and not (self._pending_count or self._deadlines)

    def can_move(self, connection: C) -> bool:
        """True if the client understands what it would be asked."""
        client = connection.client
        return client.can_migrate and (client.can_regions or not self._to_region)

    @property
    def next_at(self) -> float | None:
        """The time at which a connection is due next; None if none waits."""
        times = [at for at in (self._again.next_at(), self._deadlines.next_at()) if at is not None]
        return min(times, default=None)

    @property
    def unable(self) -> int:
        """The number of connections that could not move; `retry_unable` checks them again."""
        return len(self._unable)

    def add(self, connection: C) -> None:
        """Add a connection that has opened, if the order concerns its session."""
        session_id = connection.session_id
        if not self.is_whole and not is_in_share(session_id, self._share_pct):
            return
        if not self.is_whole and not self.can_move(connection):
            self._unable.add(connection)
            return
        if self._to_region and not self.can_move(connection):
            self._last[connection] = None
            return
        members = self._pending.setdefault(session_id, {})
        if connection not in members:
            members[connection] = None
            self._pending_count += 1
        if session_id in self._begun:
            self._pending.move_to_end(session_id, last=False)

    def remove(self, connection: C) -> bool:
        """Remove a connection that has ended; True if it had been asked, so it has moved."""
        asked = self._deadlines.cancel(connection) or connection in self._late
        self._again.cancel(connection)
        self._last.pop(connection, None)
        for group in (self._late, self._unable, self._closing):
            group.discard(connection)
        members = self._pending.get(connection.session_id, {})
        if connection in members:
            self._drop_pending(connection, members)
        return asked

    def knows(self, connection: C) -> bool:
        """True if the connection was asked or is being closed."""
        return connection in self._deadlines or connection in self._closing

    def retry_unable(self) -> None:
        """Add the connections that can move by now: their clients may have restored since."""
        able = [connection for connection in self._unable if self.can_move(connection)]
        self._unable.difference_update(able)
        for connection in able:
            self.add(connection)

    def take_turn(self, budget: int, now: float, within_seconds: float) -> DueConnections[C]:
        """Choose the connections to close and to ask, `budget` of them together.

        Those whose time is over are closed, if the order is for all sessions. Those whose time is
        half over are asked once more. Then further sessions are asked, each whole before the next.
        """
        close = self._take_late(budget, now)
        again: list[C] = []
        while len(close) + len(again) < budget:
            connection = self._again.pop_due(now)
            if connection is None:
                break
            again.append(connection)
        ask: list[C] = []
        while len(close) + len(again) + len(ask) < budget:
            connection = self._take_pending()
            if connection is None:
                break
            self._deadlines.set(connection, now + within_seconds)
            self._again.set(connection, now + within_seconds / 2)
            ask.append(connection)
        return DueConnections(ask, again, close)

    def find_seconds_left(self, connection: C, now: float) -> float:
        """Return the time that a connection which was asked still has."""
        return self._deadlines.get(connection) - now

    def mark_closing(self, connection: C) -> None:
        """Remember that a connection is being closed: it is not asked again, and has not moved."""
        self.remove(connection)
        self._closing.add(connection)

    def take_over(self, before: "Departures[C]", *, same_target: bool) -> None:
        """Keep what an earlier order has closed and, if its target was the same, asked."""
        self._closing |= before._closing
        if same_target:
            self._begun |= before._begun
            self._again, self._deadlines = before._again, before._deadlines

    def add_all(self, connections: Iterable[C]) -> None:
        """Add connections that are open already, except those that were asked or closed."""
        for connection in connections:
            if not self.knows(connection):
                self.add(connection)

    def _take_late(self, budget: int, now: float) -> list[C]:
        late: list[C] = []
        while not self.is_whole or len(late) < budget:
            connection = self._deadlines.pop_due(now)
            if connection is None:
                break
            self._again.cancel(connection)
            late.append(connection)
        if self.is_whole:
            return late
        self._late.update(late)
        return []

    def _take_pending(self) -> C | None:
        if not self._pending:
            return self._take_last()
        session_id, members = next(iter(self._pending.items()))
        connection = next(iter(members))
        self._drop_pending(connection, members)
        self._begun.add(session_id)
        return connection

    def _take_last(self) -> C | None:
        if not self._is_turn_of_last:
            return None
        connection = next(iter(self._last))
        del self._last[connection]
        return connection

    def _drop_pending(self, connection: C, members: dict[C, None]) -> None:
        del members[connection]
        self._pending_count -= 1
        if not members:
            del self._pending[connection.session_id]
