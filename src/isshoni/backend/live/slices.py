"""Long work in short slices, between which the event loop serves other sessions."""

import asyncio
import time
from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
"""Work that pauses at each `yield`; what it returns is its result."""


class Slices:
    """Lets other tasks run whenever a slice of time is used up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at = time.monotonic() + seconds

    async def pause(self) -> None:
        """Let other tasks run if the slice is used up, and begin the next one."""
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + self._seconds


async def run_in_slices(steps: Steps[_T], seconds: float) -> _T:
    """Run steps on the event loop, with a pause after each slice; return their result."""
    slices, noted = Slices(seconds), _Noted(steps)
    for _ in noted:
        await slices.pause()
    return noted.result


def run_at_once(steps: Steps[_T]) -> _T:
    """Run steps without a pause; return their result."""
    noted = _Noted(steps)
    for _ in noted:
        pass
    return noted.result


class _Noted(Generic[_T]):
    """Steps to iterate over, whose result is kept: a loop drops what a generator returns."""

    result: _T

    def __init__(self, steps: Steps[_T]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[None]:
        self.result = yield from self._steps
