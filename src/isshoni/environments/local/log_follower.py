"""Follow a program's log."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

_LOOK_SECONDS = 0.2


async def follow(path: Path) -> AsyncIterator[str]:
    """Yield each line as it is written, until the caller stops."""
    with path.open(errors="replace") as log:
        log.seek(0, os.SEEK_END)
        begun = ""
        while True:
            *lines, begun = (begun + log.read()).split("\n")
            for line in lines:
                yield line
            if os.fstat(log.fileno()).st_size < log.tell():  # it was truncated by `bound_log`
                log.seek(0)
            await asyncio.sleep(_LOOK_SECONDS)
