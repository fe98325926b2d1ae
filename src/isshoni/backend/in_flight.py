"""Writes of one connection under way to Redis: pipelined, ordered, bounded."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

MAX_IN_FLIGHT = 64

Done = Callable[["asyncio.Task[Any]"], None]


class InFlight:
    """Writes that were issued in order; each `done` is called in that order too."""

    __slots__ = ("_limit", "_waiters", "_writes")

    def __init__(self, limit: int = MAX_IN_FLIGHT) -> None:
        self._limit = limit
        self._writes: deque[tuple[asyncio.Task[Any], Done]] = deque()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def __len__(self) -> int:
        return len(self._writes)

    def start(self, write: Coroutine[Any, Any, Any], done: Done) -> None:
        """Issue a write behind those under way (tasks start in the order of creation)."""
        task = asyncio.get_running_loop().create_task(write)
        self._writes.append((task, done))
        task.add_done_callback(self._settle)

    async def wait_until_room(self) -> None:
        """Wait until one more write may be issued."""
        await self._wait_until_below(self._limit)

    async def wait_until_empty(self) -> None:
        """Wait until every write was settled."""
        await self._wait_until_below(1)

    async def _wait_until_below(self, count: int) -> None:
        while len(self._writes) >= count:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((count, waiter))
            await waiter

    def _settle(self, _task: "asyncio.Task[Any]") -> None:
        while self._writes and self._writes[0][0].done():
            task, done = self._writes.popleft()
            done(task)
        if self._waiters:
            ready = [waiter for count, waiter in self._waiters if len(self._writes) < count]
            self._waiters = [(c, w) for c, w in self._waiters if len(self._writes) >= c]
            for waiter in ready:
                if not waiter.done():
                    waiter.set_result(None)
