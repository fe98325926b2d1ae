"""Move the clients of one colour to the other, session by session, at a pace.

A client that cannot be moved stays where it is and is tried again. For a share below 100 % it
is never closed. When all must go it is closed once its time is over, at the same pace.
"""

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass

from isshoni.backend.tasks import start_lasting, start_once
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Failure
from isshoni.relay.relay import Relay
from isshoni.session.close_codes import CloseCode
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
class MoveOrder:
    """A request to move the sessions of a colour."""

    to: str
    rate_per_second: float
    within_seconds: float
    share_pct: float = 100.0
    close_code: int = CloseCode.SERVICE_RESTART
    close_reason: str = ""
    """For clients that could not be moved when all must go."""


@dataclass
class _Attempt:
    """What was tried with one client."""

    deadline: float
    tries: int = 0
    again_at: float = 0.0
    under_way: bool = False
    failure: Failure | None = None


class RelayMigration:
    """A running move of a colour's clients, and its progress."""

    def __init__(self, relay: Relay, colour: str, order: MoveOrder) -> None:
        self._relay = relay
        self._colour = colour
        self._attempts: dict[ClientSocket, _Attempt] = {}
        self._queue: deque[ClientSocket] = deque()
        self._listed_at = self._armed_at = 0.0
        self._pace = Pace(order.rate_per_second)
        self.asked = self.moved = self.closed = 0
        self.order = order
        relay.set_share(colour, order.to, order.share_pct)
        self._task = start_lasting("move relayed clients", self._run)

    def change_order(self, order: MoveOrder) -> None:
        """Continue with another order."""
        self.order = order
        self._pace.rate_per_second = order.rate_per_second
        self._relay.set_share(self._colour, order.to, order.share_pct)

    def cancel(self) -> None:
        """Begin no more moves; those under way end by themselves."""
        self._relay.clear_share(self._colour)
        self._task.cancel()

    def status(self) -> dict[str, object]:
        """Return the progress, as docs/admin-api.md describes it, with what holds clients up."""
        remaining = len(self._concerned())
        return {
            "to": self.order.to,
            "rate_per_second": self.order.rate_per_second,
            "share_pct": self.order.share_pct,
            "told": self.asked,
            "moved": self.moved,
            "closed": self.closed,
            "remaining": remaining,
            "done": remaining == 0,
            "failures": self._failures(),
        }

    def _failures(self) -> dict[str, int]:
        found = Counter(a.failure.value for a in self._attempts.values() if a.failure is not None)
        return dict(found)

    def _concerned(self) -> list[ClientSocket]:
        """List the clients that the order concerns, those of a session together."""
        share = self.order.share_pct
        clients = self._relay.clients_of(self._colour)
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
        if now - self._armed_at < ARM_SECONDS:
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
            self._relay.arm(client)
        if not self._listed_at:
            self._armed_at = now
        self._queue, self._listed_at = deque(concerned), now

    def _begin(self, client: ClientSocket, now: float) -> bool:
        """Move or close a client if it is due; True if it was."""
        attempt = self._attempts.get(client)
        if attempt is None:
            attempt = self._attempts[client] = _Attempt(now + self.order.within_seconds)
            self.asked += 1
        if attempt.under_way or now < attempt.again_at:
            return False
        if self.order.share_pct >= 100.0 and attempt.tries and now >= attempt.deadline:
            self.closed += 1
            client.close(self.order.close_code, self.order.close_reason)
            attempt.under_way = True
            return True
        attempt.under_way = True
        start_once("move a relayed client", self._move(client, attempt))
        return True

    async def _move(self, client: ClientSocket, attempt: _Attempt) -> None:
        attempt.failure = await self._relay.move(client, self.order.to)
        attempt.under_way = False
        if attempt.failure is None:
            self.moved += 1
            return
        pause = RETRY_SECONDS[min(attempt.tries, len(RETRY_SECONDS) - 1)]
        attempt.tries += 1
        attempt.again_at = time.monotonic() + pause
