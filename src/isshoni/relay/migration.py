"""Move the clients of one colour to the other, or of one process to the others, at a pace.

Sessions move one after the other, each as a whole.

A client that cannot be moved stays where it is and is tried again. For a share below 100 % it
is never closed. When all must go it is closed once its time is over, at the same pace at most,
and spread over the time that the order gives.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from isshoni.backend.tasks import start_lasting, start_once
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.close_spread import CloseSpread
from isshoni.relay.core.moves import Failure
from isshoni.relay.sources import Source
from isshoni.relay.upgrade.messages import MoveRecord
from isshoni.session.server.order import MigrationOrder
from isshoni.session.server.pace import Pace
from isshoni.session.server.share import is_in_share

TURN_SECONDS = 0.02
LIST_SECONDS = 0.5
"""How often the clients that have to move are listed: a look at each of them."""
ARM_SECONDS = 0.3
"""Messages are counted for this long before the first move: a program may lag."""
RETRY_SECONDS = (1.0, 2.0, 4.0)
"""After a failed move; the last one repeats."""


@dataclass(frozen=True)
class MoveOrder(MigrationOrder):
    """A request to move the sessions of a colour, and to close those that cannot move."""

    close_over_seconds: float = 0.0
    """The time over which the closes of clients that cannot be moved are spread; 0: each is closed
    once its time is over."""
    ordered_at: float = 0.0
    """When this time began, by the monotonic clock."""


@dataclass
class _Attempt:
    """What was tried with one client."""

    deadline: float
    tries: int = 0
    again_at: float = 0.0
    under_way: bool = False
    is_closed: bool = False
    failure: Failure | None = None

    def is_over(self, now: float) -> bool:
        """True if the client was tried, and its time is over."""
        return self.tries > 0 and now >= self.deadline


class RelayMigration:
    """A running move of the clients of a colour or a process, and its progress."""

    def __init__(self, source: Source, order: MoveOrder) -> None:
        self._source = source
        self._attempts: dict[ClientSocket, _Attempt] = {}
        self._queue: deque[ClientSocket] = deque()
        self._listed_at = self._armed_at = 0.0
        self._over = 0
        self._closed_for: Counter[str] = Counter()
        self._pace = Pace(order.rate_per_second)
        self.asked = self.moved = self.closed = 0
        self.order = order
        self._spread = CloseSpread(order.ordered_at, order.close_over_seconds)
        source.divert(order)
        self._task = start_lasting("move relayed clients", self._run)

    def change_order(self, order: MoveOrder) -> None:
        """Continue with another order; the time for closes continues too if it is the same."""
        if order.close_over_seconds == self.order.close_over_seconds:
            order = replace(order, ordered_at=self.order.ordered_at)
        else:
            self._spread = CloseSpread(order.ordered_at, order.close_over_seconds)
        self.order = order
        self._pace.rate_per_second = order.rate_per_second
        self._source.divert(order)

    def cancel(self) -> None:
        """Begin no more moves; those under way end by themselves."""
        self._source.restore()
        self._task.cancel()

    @property
    def is_moving(self) -> bool:
        """True while a client's move is under way."""
        return any(a.under_way and not a.is_closed for a in self._attempts.values())

    def status(self) -> dict[str, object]:
        """Return the progress, as docs/admin-api.md describes it, with what holds clients up."""
        remaining = len(self._concerned())
        return {
            "to": self.order.to,
            "rate_per_second": self.order.rate_per_second,
            "share_pct": self.order.share_pct,
            "close_over_seconds": self.order.close_over_seconds,
            "told": self.asked,
            "moved": self.moved,
            "closed": self.closed,
            "remaining": remaining,
            "done": remaining == 0,
            "failures": self._failures(),
            "closed_for": dict(self._closed_for),
        }

    # Another process continues

    def record(self) -> MoveRecord:
        """Return the order, and how far it is."""
        counts = (self.asked, self.moved, self.closed)
        # Without what is not set: a relay of another version reads only numbers and text.
        order = {name: value for name, value in asdict(self.order).items() if value is not None}
        return MoveRecord(order, *counts, closed_for=dict(self._closed_for))

    def record_attempt(self, client: ClientSocket) -> tuple[float, int] | None:
        """Return until when a client is tried, and how often it was; None if it was not."""
        attempt = self._attempts.get(client)
        return None if attempt is None else (attempt.deadline, attempt.tries)

    def restore(
        self, record: MoveRecord, attempts: Mapping[ClientSocket, tuple[float, int]]
    ) -> None:
        """Continue from where the process before was."""
        self.asked, self.moved, self.closed = record.asked, record.moved, record.closed
        self._closed_for.update(record.closed_for)
        for client in self._source.list_clients():
            if client in attempts:
                deadline, tries = attempts[client]
                self._attempts[client] = _Attempt(deadline, tries)

    def _failures(self) -> dict[str, int]:
        found = Counter(a.failure.value for a in self._attempts.values() if a.failure is not None)
        return dict(found)

    def _concerned(self) -> list[ClientSocket]:
        """List the clients that the order concerns, those of a session together."""
        share = self.order.share_pct
        clients = self._source.list_clients()
        concerned = [client for client in clients if is_in_share(str(client.key), share)]
        return sorted(concerned, key=lambda client: str(client.key))

    async def _run(self) -> None:
        while True:
            self.run_turn(time.monotonic())
            await asyncio.sleep(TURN_SECONDS)

    def run_turn(self, now: float) -> None:
        """Begin the moves and closes that are due, within the budget."""
        if now - self._listed_at >= LIST_SECONDS:
            self._list(now)
        if now - self._armed_at < ARM_SECONDS or self._source.is_paused:
            return
        budget = self._pace.earn(now)
        while self._queue and budget > 0:
            if self._begin(self._queue.popleft(), now):
                self._pace.spend(1)
                budget -= 1

    def _list(self, now: float) -> None:
        """List the clients that have to move, and begin to count their messages."""
        concerned = self._concerned()
        for gone in self._attempts.keys() - set(concerned):
            del self._attempts[gone]
        for client in concerned:
            self._source.arm(client)
        if not self._listed_at:
            self._armed_at = now
        self._over = sum(a.is_over(now) and not a.is_closed for a in self._attempts.values())
        self._queue, self._listed_at = deque(concerned), now

    def _begin(self, client: ClientSocket, now: float) -> bool:
        """Move or close a client if it is due; True if it was."""
        if not self._source.has(client):
            return False  # it ended, or its move ended after it was listed
        attempt = self._attempts.get(client)
        if attempt is None:
            attempt = self._attempts[client] = _Attempt(now + self.order.within_seconds)
            self.asked += 1
        if attempt.under_way:
            return False
        if self.order.is_whole and attempt.is_over(now) and self._may_close(now):
            self._close(client, attempt)
            return True
        if now < attempt.again_at:
            return False
        attempt.under_way = True
        start_once("move a relayed client", self._move(client, attempt))
        return True

    def _may_close(self, now: float) -> bool:
        if not self.order.close_over_seconds:
            return True
        return self._spread.allow(now, self._over)

    def _close(self, client: ClientSocket, attempt: _Attempt) -> None:
        door = self._source.door
        self.closed += 1
        self._over -= 1
        attempt.under_way = attempt.is_closed = True
        if attempt.failure is not None:
            self._closed_for[attempt.failure.value] += 1
        client.close(door.close_code, door.close_reason)

    async def _move(self, client: ClientSocket, attempt: _Attempt) -> None:
        attempt.failure = await self._source.move(client, self.order.to)
        attempt.under_way = False
        if attempt.failure is None:
            self.moved += 1
            return
        pause = RETRY_SECONDS[min(attempt.tries, len(RETRY_SECONDS) - 1)]
        attempt.tries += 1
        attempt.again_at = time.monotonic() + pause


def make_order(record: MoveRecord) -> MoveOrder:
    """Return the order of a record; a field that this version does not know is ignored."""
    known = {field.name for field in fields(MoveOrder)}
    values: dict[str, Any] = {name: one for name, one in record.order.items() if name in known}
    return MoveOrder(**values)
