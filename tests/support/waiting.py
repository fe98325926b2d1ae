"""Waiting for a condition, with a bound."""

import asyncio
from collections.abc import Callable
from time import monotonic


async def wait_until(
    condition: Callable[[], object], what: str, *, within_seconds: float = 30.0
) -> None:
    """Wait until `condition()` is true; fail naming `what` when it does not become so."""
    deadline = monotonic() + within_seconds
    while not condition():
        assert monotonic() < deadline, f"not within {within_seconds:g} s: {what}"
        await asyncio.sleep(0.005)
