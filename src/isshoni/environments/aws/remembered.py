"""A reading that is good for a moment: looks are many, and the API counts calls."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """The last reading; taken anew when it is too old, by one caller for all.

    A caller who gives up waits for nobody, but the reading goes on and serves the next.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._reading: asyncio.Task[T] | None = None
        self._began = float("-inf")

    async def get(self) -> T:
        """Give what was read no longer than `seconds` ago, or read it."""
        return await asyncio.shield(self._find_reading())

    def forget(self) -> None:
        """Make the next caller read again, even while a reading is under way."""
        self._reading = None

    def _find_reading(self) -> "asyncio.Task[T]":
        known = self._reading
        if known is not None and not known.done():
            return known
        fresh = time.monotonic() - self._began < self._seconds
        if known is not None and fresh and not known.cancelled() and known.exception() is None:
            return known
        self._began = time.monotonic()
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(_look_at)
        return self._reading


def _look_at(reading: "asyncio.Future[T]") -> None:
    """Keep asyncio from complaining of a fault that nobody waited for any more."""
    if not reading.cancelled():
        reading.exception()


class Look(Protocol):
    """What remembers a reading of the environment."""

    def forget(self) -> None:
        """Make the next caller read again."""


@contextlib.contextmanager
def changing(*looks: Look) -> Iterator[None]:
    """Wrap an order that changes what `looks` read: no later look returns an older reading.

    Also after an order that failed: it may have been carried out before its answer was lost.
    """
    try:
        yield
    finally:
        for look in looks:
            look.forget()
