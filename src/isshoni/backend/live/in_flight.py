"""Keep the writes of one connection that Redis has not answered: in order, and bounded."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from isshoni.backend.tasks import failures

MAX_IN_FLIGHT = 64

IsUnsent = Callable[["asyncio.Task[Any]"], bool]


class Write(Protocol):
    """A write that was issued."""

    def done(self) -> bool:
        """True once it was answered, or cancelled."""

    def cancelled(self) -> bool:
        """True if it was cancelled."""

    def drop(self, is_unsent: IsUnsent) -> None:
        """Cancel it if nothing of it was sent."""


W = TypeVar("W", bound=Write)


class InFlight:
    """Writes that were issued in order; each `done` is called in that order too."""

    __slots__ = ("_waiter", "_writes")

    def __init__(self) -> None:
        # A list, made at the first write: every connection has one of these, most of them idle,
        # and an empty deque takes 700 bytes.
        self._writes: list[tuple[Any, Callable[[Any], None]]] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def add(self, write: W, done: Callable[[W], None]) -> None:
        """Add a write behind the others; `settle` must be called once it is done."""
        if self._writes is None:
            self._writes = []
        self._writes.append((write, done))

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

    def drop(self, is_unsent: IsUnsent) -> None:
        """Cancel the writes of which nothing was sent; they are answered no more."""
        for write, _ in self._writes or ():
            write.drop(is_unsent)

    def settle(self) -> None:
        """Handle the answers that have come, up to the first write without one."""
        while self._writes and self._writes[0][0].done():
            write, done = self._writes.pop(0)
            if write.cancelled():
                continue
            try:
                done(write)
            except Exception as fault:
                # Later writes are answered all the same, and `wait_until_below` returns.
                failures.report("answer a write", fault)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
