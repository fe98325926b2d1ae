"""One look at the environment for all who watch: on every change, and each second."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from isshoni.errors import IsshoniError

LOOK_SECONDS = 0.25
AT_LEAST_EVERY_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
"""A comment when even a look takes longer, so that nobody takes the line for dead."""
MAX_WATCHERS = 64


class TooManyWatchers(IsshoniError):
    """No more live views at once."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WATCHERS} live views are open already: close one")


class Feed:
    """Looks while somebody watches, and gives each the newest."""

    def __init__(self, look: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._look = look
        self._news = asyncio.Condition()
        self._number = 0
        self._newest = b""
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Raise `TooManyWatchers` when there are."""
        if self._watchers >= MAX_WATCHERS:
            raise TooManyWatchers

    async def watch(self) -> AsyncIterator[bytes]:
        """Give Server-Sent Events for as long as they are read."""
        self._watchers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        seen = 0
        try:
            while True:
                try:
                    seen = await asyncio.wait_for(self._wait_for_news(seen), HEARTBEAT_SECONDS)
                    yield b"event: status\ndata: " + self._newest + b"\n\n"
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._task.cancel()
                self._task = None

    async def _wait_for_news(self, seen: int) -> int:
        async with self._news:
            await self._news.wait_for(lambda: self._number > seen)
            return self._number

    async def _run(self) -> None:
        before: dict[str, Any] = {}
        told_at = float("-inf")
        while True:
            stand = await self._look_or_say_why_not()
            now = time.monotonic()
            unchanged = {**stand, "at": 0} == {**before, "at": 0}
            if not unchanged or now - told_at >= AT_LEAST_EVERY_SECONDS:
                before, told_at = stand, now
                await self._tell(stand)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_or_say_why_not(self) -> dict[str, Any]:
        try:
            return await self._look()
        except IsshoniError as fault:
            return {"unreadable": str(fault)}

    async def _tell(self, stand: dict[str, Any]) -> None:
        async with self._news:
            self._number += 1
            self._newest = msgspec.json.encode(stand)
            self._news.notify_all()
