"""The end of a child process that stops when its stdin ends."""

import asyncio


async def end_by_stdin(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Close the stdin of a process, and kill it if it still runs after `seconds`."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
