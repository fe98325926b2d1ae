"""Relays of one machine take over one after the other: each upgrade needs a core for itself."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from isshoni.backend.log import log_event

PATIENCE_SECONDS = 60.0
"""For the upgrades of the others. One of them may hang: then this one does not wait any longer."""
_RETRY_SECONDS = 0.05


@contextlib.asynccontextmanager
async def wait_for_turn(path: Path | None) -> AsyncIterator[None]:
    """Lock the file while an upgrade runs; without a path, or if it cannot be locked, go on."""
    lock = None if path is None else _open(path)
    if lock is None:
        yield
        return
    try:
        await _lock(lock)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int | None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        log_event("relay_takes_no_turns", path=str(path), reason=str(fault.strerror))
        return None


async def _lock(lock: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            await asyncio.sleep(_RETRY_SECONDS)
    log_event("relay_waits_no_longer", seconds=PATIENCE_SECONDS)
