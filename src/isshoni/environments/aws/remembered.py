"""Use a value read from AWS again for a moment: its API limits the rate of calls."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Remembers the last value; if it is too old, one caller reads it again for all.

    If a waiting caller is cancelled, the read continues and serves the next caller.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._reading: asyncio.Task[T] | None = None
        self._began = float("-inf")

    async def get(self) -> T:
        """Return the value if it was read at most `seconds` ago; otherwise read it."""
        return await asyncio.shield(self._find_reading())

    def forget(self) -> None:
        """Discard the remembered value, and one being read: the next caller reads again."""
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
    """Fetch the exception of a read that has no caller left, or asyncio would log it."""
    if not reading.cancelled():
        reading.exception()


class Look(Protocol):
    """An object that remembers a value read from the environment."""

    def forget(self) -> None:
        """Discard the remembered value: the next caller reads again."""


@contextlib.contextmanager
def changing(*looks: Look) -> Iterator[None]:
    """Make `looks` read again after a request that changes what they remember.

    Also after a failed request: it may have been done, with only its answer lost.
    """
    try:
        yield
    finally:
        for look in looks:
            look.forget()
