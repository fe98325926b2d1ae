"""Find out whether a program can be reached."""

import asyncio

from isshoni.relay.doors import Address

_REACH_SECONDS = 1.0


async def find_fault(address: Address) -> str | None:
    """Return why a program cannot be reached; None if it can be."""
    host, port = address
    try:
        async with asyncio.timeout(_REACH_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as fault:
        return f"{host}:{port} cannot be reached: {fault or 'it does not answer'}"
    writer.close()
    return None
