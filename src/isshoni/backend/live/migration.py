"""Move live sessions to the other colour: when each client is asked, and which are closed.

For a share below 100 % no connection is closed: a client that cannot move, or does not in
time, would reconnect by the traffic weights, most likely to the colour that it is on. It stays
until the move is for 100 %.
"""

import asyncio
import time

from isshoni.backend.live.connection import Connection
from isshoni.backend.live.departures import Departures
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.tasks import start_lasting
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.order import MigrationOrder
from isshoni.session.server.pace import Pace

TURN_SECONDS = 0.02
_RETRY_SECONDS, _RETRY_SECONDS_EACH = 0.1, 5e-5
"""The time after which connections that could not move are looked at again: the more there are,
the later, so that looking never takes a notable part of the time."""


class Migration:
    """A running move of sessions, and its progress."""

    def __init__(
        self, manager: WebSocketManager, order: MigrationOrder, counters: Counters
    ) -> None:
        self._manager = manager
        self._counters = counters
        self._departures = _make_departures(order)
        self._listed = False
        self._retried_at = float("-inf")
        self._woken = asyncio.Event()
        self.order = order
        self._pace = Pace(order.rate_per_second)
        self.asked = self.moved = self.closed = self.turns = 0
        log_event(
            "migration_started", to=order.to, rate=order.rate_per_second, share=order.share_pct
        )
        manager.watcher = self
        self._task = start_lasting("migrate", self._run)

    def change_order(self, order: MigrationOrder) -> None:
        """Continue with another order; clients asked to move elsewhere are asked again."""
        before, self.order = self.order, order
        self._pace.rate_per_second = order.rate_per_second
        target, before_target = (order.to, order.address), (before.to, before.address)
        if (target, order.share_pct) != (before_target, before.share_pct):
            departures = _make_departures(order)
            departures.take_over(self._departures, same_target=target == before_target)
            self._departures, self._listed = departures, False
        self._woken.set()

    def cancel(self) -> None:
        """Ask no more clients."""
        if self._manager.watcher is self:
            self._manager.watcher = None
        self._task.cancel()

    def status(self) -> dict[str, object]:
        """Return the progress, as docs/admin-api.md describes it."""
        self._list_once()
        remaining = self._departures.remaining
        return {
            "to": self.order.to,
            "rate_per_second": self.order.rate_per_second,
            "share_pct": self.order.share_pct,
            "told": self.asked,
            "moved": self.moved,
            "closed": self.closed,
            "waiting": self._departures.waiting,
            "remaining": remaining,
            "done": remaining == 0,
        }

    # Called by the manager

    def note_opened(self, connection: Connection) -> None:
        """Move a connection that has opened as well, if the order concerns it."""
        self._departures.add(connection)
        self._woken.set()

    def note_ended(self, connection: Connection) -> None:
        """Count a connection that has ended: if it was asked to move, it has moved."""
        if self._departures.remove(connection):
            self.moved += 1
            self._counters.migrated += 1
        if self._departures.has_last:
            self._woken.set()  # perhaps it was the one that they waited for

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            self.run_turn(time.monotonic())
            await self._sleep()

    async def _sleep(self) -> None:
        """Sleep for a turn; longer, if no connection is due, until one is or one opens."""
        if not self._departures.is_idle:
            await asyncio.sleep(TURN_SECONDS)
            return
        due, now = self._departures.next_at, time.monotonic()
        limits = [max(TURN_SECONDS, due - now)] if due is not None else []
        if self._departures.unable:
            limits.append(self._retry_seconds)
        try:
            async with asyncio.timeout(min(limits, default=None)):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(TURN_SECONDS)  # many may open at once: one turn for all of them

    def run_turn(self, now: float) -> None:
        """Close and ask the clients that are due at `now`, within the budget."""
        self.turns += 1
        self._list_once()
        if now - self._retried_at >= self._retry_seconds:
            self._retried_at = now
            self._departures.retry_unable()
        budget = self._pace.earn(now)
        turn = self._departures.take_turn(budget, now, self.order.within_seconds)
        self._pace.spend(len(turn.ask) + len(turn.again) + len(turn.close))
        for connection in turn.close:
            self._counters.stragglers += 1
            self._close(connection)
        self.asked += sum(map(self._departures.can_move, turn.ask))
        for connection in (*turn.again, *turn.ask):
            try:
                self._ask(connection, now)
            except Exception as fault:
                connection.fail(fault)  # the other clients still move

    @property
    def _retry_seconds(self) -> float:
        return max(_RETRY_SECONDS, _RETRY_SECONDS_EACH * self._departures.unable)

    def _list_once(self) -> None:
        """Add every open connection, once for each order; later ones are added as they open."""
        if self._listed:
            return
        for session in self._manager.connections_by_session():
            self._departures.add_all(session)
        self._listed = True

    def _ask(self, connection: Connection, now: float) -> None:
        if not self._departures.can_move(connection):
            self._close(connection)
            return
        left = self._departures.find_seconds_left(connection, now)
        connection.ask_to_move(self.order.to, left, self.order.address)

    def _close(self, connection: Connection) -> None:
        self.closed += 1
        self._departures.mark_closing(connection)
        connection.close(CloseCode.SERVICE_RESTART)


def _make_departures(order: MigrationOrder) -> Departures[Connection]:
    return Departures(order.share_pct, to_region=order.address is not None)
