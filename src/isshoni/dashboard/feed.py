"""Observe the environment once for all live views, and send them each change."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from isshoni.errors import IsshoniError

OBSERVE_SECONDS = 0.25
AT_LEAST_EVERY_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
"""A comment is sent when an observation takes longer, so that views stay connected."""
MAX_WATCHERS = 64


class TooManyWatchers(IsshoniError):
    """There are as many live views as are allowed at once."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WATCHERS} live views are open already: close one of them")


class Feed:
    """Observes while there are watchers, and sends each the newest state."""

    def __init__(self, observe: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._observe = observe
        self._news = asyncio.Condition()
        self._number = 0
        self._newest = b""
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Raise `TooManyWatchers` if there are `MAX_WATCHERS` already."""
        if self._watchers >= MAX_WATCHERS:
            raise TooManyWatchers

    async def watch(self) -> AsyncIterator[bytes]:
        """Yield Server-Sent Events for as long as they are read."""
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
        sent_at = float("-inf")
        while True:
            state = await self._observe_or_explain()
            now = time.monotonic()
            unchanged = {**state, "at": 0} == {**before, "at": 0}
            if not unchanged or now - sent_at >= AT_LEAST_EVERY_SECONDS:
                before, sent_at = state, now
                await self._publish(state)
            await asyncio.sleep(OBSERVE_SECONDS)

    async def _observe_or_explain(self) -> dict[str, Any]:
        try:
            return await self._observe()
        except IsshoniError as fault:
            return {"unreadable": str(fault)}

    async def _publish(self, state: dict[str, Any]) -> None:
        async with self._news:
            self._number += 1
            self._newest = msgspec.json.encode(state)
            self._news.notify_all()
