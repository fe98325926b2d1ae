"""Keep the writes of one connection that Redis has not answered: in order, and bounded."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from isshoni.backend.tasks import failures, start_awaited

MAX_IN_FLIGHT = 64

Done = Callable[["asyncio.Task[Any]"], None]


class InFlight:
    """Writes that were issued in order; each `done` is called in that order too."""

    __slots__ = ("_waiter", "_writes")

    def __init__(self) -> None:
        # A list, made at the first write: every connection has one of these, most of them idle,
        # and an empty deque takes 700 bytes.
        self._writes: list[tuple[asyncio.Task[Any], Done]] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def start(self, write: Coroutine[Any, Any, Any], done: Done) -> None:
        """Start a write behind the others (tasks start in the order of creation)."""
        task = start_awaited("write to the store", write)
        if self._writes is None:
            self._writes = []
        self._writes.append((task, done))
        task.add_done_callback(self._settle)

    @property
    def is_empty(self) -> bool:
        """True if every write has its answer."""
        return not self._writes

    @property
    def count(self) -> int:
        """The number of writes without an answer."""
        return len(self._writes or ())

    async def wait_until_below(self, count: int) -> None:
        """Wait until fewer than `count` writes are without an answer."""
        while self.count >= count:
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)

    def drop(self, is_unsent: Callable[["asyncio.Task[Any]"], bool]) -> None:
        """Cancel the writes of which nothing was sent; they are answered no more."""
        for task, _ in self._writes or ():
            if is_unsent(task):
                task.cancel()

    def _settle(self, _task: "asyncio.Task[Any]") -> None:
        while self._writes and self._writes[0][0].done():
            task, done = self._writes.pop(0)
            if task.cancelled():
                continue
            try:
                done(task)
            except Exception as fault:
                # Later writes are answered all the same, and `wait_until_below` returns.
                failures.report("answer a write", fault)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
