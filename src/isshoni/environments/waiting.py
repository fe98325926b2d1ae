"""Wait for a condition with a timeout."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

_LOOK_EVERY_SECONDS = 0.02


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], timeout_seconds: float
) -> bool:
    """Return True as soon as `condition` is true, False after `timeout_seconds`."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + timeout_seconds
    while True:
        held = condition()
        if await held if isawaitable(held) else held:
            return True
        if loop.time() >= ends:
            return False
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
