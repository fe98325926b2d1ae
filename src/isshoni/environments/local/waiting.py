"""Waiting for a condition, bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

_LOOK_EVERY_SECONDS = 0.02


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], timeout_seconds: float
) -> bool:
    """Wait until `condition` holds; False when it did not in time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + timeout_seconds
    while True:
        held = condition()
        if await held if isawaitable(held) else held:
            return True
        if loop.time() >= ends:
            return False
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
