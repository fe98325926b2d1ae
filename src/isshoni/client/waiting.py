"""Wait for a condition that an event announces."""

import asyncio
from collections.abc import Callable


async def wait_for_event(
    condition: Callable[[], bool], event: asyncio.Event, timeout: float
) -> bool:
    """Wait for `condition`, checking it each time that `event` is set.

    False when `timeout` seconds were too few.
    """
    try:
        async with asyncio.timeout(timeout):
            while not condition():
                event.clear()
                await event.wait()
    except TimeoutError:
        return False
    return True
