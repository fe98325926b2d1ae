"""Move live sessions to the other colour: when each client is asked, and which are closed.

For a share below 100 % no connection is closed: a client that cannot move, or does not in
time, would reconnect by the traffic weights, most likely to the colour that it is on. It stays
until the move is for 100 %.
"""

import asyncio
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from isshoni.backend.live.connection import Connection
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.tasks import start_lasting
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.share import is_in_share

TURN_SECONDS = 0.02
_BURST_SECONDS = 0.1
"""The budget never exceeds what this many seconds add to it, so a late turn is no burst."""

C = TypeVar("C", bound=Hashable)


@dataclass(frozen=True)
class MigrationOrder:
    """A request to move sessions."""

    to: str
    rate_per_second: float
    within_seconds: float
    share_pct: float = 100.0

    @property
    def is_whole(self) -> bool:
        """True if every connection must move or be closed."""
        return self.share_pct >= 100.0


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


@dataclass(frozen=True)
class Turn(Generic[C]):
    """The connections to ask and to close now."""

    ask: list[C]
    close: list[C]


@dataclass
class Asked(Generic[C]):
    """The clients that were asked to move and are still connected."""

    deadlines: dict[C, float] = field(default_factory=dict)
    ask_again_at: dict[C, float] = field(default_factory=dict)


def plan_turn(
    sessions: Iterable[Sequence[C]], asked: Asked[C], *, budget: int, now: float
) -> Turn[C]:
    """Choose the connections to close and to ask, `budget` of them together.

    Sessions are finished one after another, in the order given. A client is asked again at
    `ask_again_at`, and closed at its deadline.
    """
    close: list[C] = []
    ask: list[C] = []
    for session in sessions:
        for connection in session:
            if len(close) + len(ask) >= budget:
                return Turn(ask, close)
            deadline = asked.deadlines.get(connection)
            if deadline is None or asked.ask_again_at.get(connection, deadline) <= now < deadline:
                ask.append(connection)
            elif deadline <= now:
                close.append(connection)
    return Turn(ask, close)


class Migration:
    """A running move of sessions, and its progress."""

    def __init__(
        self, manager: WebSocketManager, order: MigrationOrder, counters: Counters
    ) -> None:
        self._manager = manager
        self._counters = counters
        self._asked: Asked[Connection] = Asked()
        self._closing: set[Connection] = set()
        self.order = order
        self._pace = Pace(order.rate_per_second)
        self.asked = self.moved = self.closed = 0
        log_event(
            "migration_started", to=order.to, rate=order.rate_per_second, share=order.share_pct
        )
        self._task = start_lasting("migrate", self._run)

    def change_order(self, order: MigrationOrder) -> None:
        """Continue with another order; clients asked to move elsewhere are asked again."""
        if order.to != self.order.to:
            self._asked = Asked(dict.fromkeys(self._closing, float("inf")))
        elif order.share_pct != self.order.share_pct:
            self._forget_late(time.monotonic())
        self.order = order
        self._pace.rate_per_second = order.rate_per_second

    def cancel(self) -> None:
        """Ask no more clients."""
        self._task.cancel()

    def status(self) -> dict[str, object]:
        """Return the progress, as docs/admin-api.md describes it."""
        remaining = self._count_remaining(time.monotonic())
        return {
            "to": self.order.to,
            "rate_per_second": self.order.rate_per_second,
            "share_pct": self.order.share_pct,
            "told": self.asked,
            "moved": self.moved,
            "closed": self.closed,
            "remaining": remaining,
            "done": remaining == 0,
        }

    async def _run(self) -> None:
        while True:
            self.run_turn(time.monotonic())
            await asyncio.sleep(TURN_SECONDS)

    def run_turn(self, now: float) -> None:
        """Close and ask the clients that are due at `now`, within the budget."""
        self._count_departures()
        sessions = self._list_leaving(now)
        turn = plan_turn(sessions, self._asked, budget=self._pace.earn(now), now=now)
        self._pace.spend(len(turn.ask) + len(turn.close))
        for connection in turn.close:
            self._counters.stragglers += 1
            self._close(connection)
        for connection in turn.ask:
            try:
                self._ask(connection, now)
            except Exception as fault:
                connection.fail(fault)  # the other clients still move

    def _list_leaving(self, now: float) -> list[list[Connection]]:
        """List the connections that the order concerns, session by session."""
        sessions = self._manager.connections_by_session()
        if self.order.is_whole:
            return sessions
        share = self.order.share_pct
        chosen = (s for s in sessions if s and is_in_share(s[0].session_id, share))
        return [[c for c in session if self._may_still_move(c, now)] for session in chosen]

    def _may_still_move(self, connection: Connection, now: float) -> bool:
        deadline = self._asked.deadlines.get(connection, float("inf"))
        return connection.client.can_migrate and now < deadline

    def _count_remaining(self, now: float) -> int:
        return sum(map(len, self._list_leaving(now)))

    def _forget_late(self, now: float) -> None:
        late = [c for c, deadline in self._asked.deadlines.items() if deadline <= now]
        for connection in late:
            self._forget(connection)

    def _ask(self, connection: Connection, now: float) -> None:
        if not connection.client.can_migrate:
            self._close(connection)
            return
        within = self.order.within_seconds
        if connection not in self._asked.deadlines:
            self.asked += 1
            self._asked.deadlines[connection] = now + within
            self._asked.ask_again_at[connection] = now + within / 2
        else:
            del self._asked.ask_again_at[connection]
        connection.ask_to_move(self.order.to, self._asked.deadlines[connection] - now)

    def _close(self, connection: Connection) -> None:
        self.closed += 1
        self._forget(connection)
        # No deadline: it must not be asked or closed again before it has ended.
        self._asked.deadlines[connection] = float("inf")
        self._closing.add(connection)
        connection.close(CloseCode.SERVICE_RESTART)

    def _count_departures(self) -> None:
        for connection in [c for c in self._asked.deadlines if c.gone]:
            if connection not in self._closing:
                self.moved += 1
                self._counters.migrated += 1
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._asked.deadlines.pop(connection, None)
        self._asked.ask_again_at.pop(connection, None)
        self._closing.discard(connection)
