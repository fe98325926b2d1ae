"""Finish what a cancelled order for a process has begun: no session stays in two processes.

An order moves the clients of a session one after the other, at its pace. If it is cancelled in the
middle of one, the rest of that session follows, at the same pace; no client is closed for it.
"""

import asyncio
import time
from collections import deque

from isshoni.backend.tasks import start_lasting, start_once
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.migration import ARM_SECONDS, TURN_SECONDS, RelayMigration
from isshoni.relay.sources import ProcessSource
from isshoni.session.server.pace import Pace


class RestOfSessions:
    """Moves the clients that others of their session have left, until there are none."""

    def __init__(self, source: ProcessSource, cancelled: RelayMigration) -> None:
        self._source = source
        self._cancelled = cancelled
        self._pace = Pace(cancelled.order.rate_per_second)
        self._ends_at = time.monotonic() + cancelled.order.within_seconds
        self._moving: set[ClientSocket] = set()
        self._task = start_lasting("finish the sessions of a cancelled move", self._run)

    def cancel(self) -> None:
        """Begin no more moves."""
        self._task.cancel()
        self._source.split.clear()

    async def _run(self) -> None:
        while time.monotonic() < self._ends_at:
            split = [c for c in self._source.list_split() if c not in self._moving]
            self._source.split = {client.key for client in split}
            if not split and not self._moving and not self._cancelled.is_moving:
                break
            for client in split:
                self._source.arm(client)
            await asyncio.sleep(ARM_SECONDS)
            await self._begin(deque(split))
        self._source.split = set()

    async def _begin(self, queue: deque[ClientSocket]) -> None:
        while queue and time.monotonic() < self._ends_at:
            budget = 0 if self._source.is_paused else self._pace.earn(time.monotonic())
            for client in [queue.popleft() for _ in range(min(budget, len(queue)))]:
                self._pace.spend(1)
                self._moving.add(client)
                start_once("move the rest of a session", self._move(client))
            await asyncio.sleep(TURN_SECONDS)

    async def _move(self, client: ClientSocket) -> None:
        try:
            await self._source.move_to_rest(client)
        finally:
            self._moving.discard(client)
