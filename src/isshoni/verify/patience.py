"""Wait for something for as long as it comes closer."""

import asyncio
import time
from collections.abc import Callable


async def wait_while_progressing(
    is_done: Callable[[], bool],
    measure: Callable[[], object],
    *,
    patience_seconds: float,
    longest_seconds: float,
    poll_seconds: float,
) -> bool:
    """Wait until `is_done`; False once `measure` returned the same for `patience_seconds`.

    Also False after `longest_seconds` in all. A platform that is busy, and not at an end, is slow
    to deliver: what it has not delivered yet is not lost.
    """
    began = changed_at = time.monotonic()
    progress: object = None
    while True:
        polled_at = time.monotonic()
        if is_done():
            return True
        if (latest := measure()) != progress:
            progress, changed_at = latest, polled_at
        now = time.monotonic()
        if now - changed_at > patience_seconds or now - began > longest_seconds:
            return False
        # With thousands of users a check takes so long that it would delay them.
        await asyncio.sleep(max(poll_seconds, 4 * (now - polled_at)))
