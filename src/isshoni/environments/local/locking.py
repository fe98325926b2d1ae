"""File locks: the kernel releases them when the process that holds them ends."""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault


@contextlib.asynccontextmanager
async def one_at_a_time(path: Path, patience_seconds: float, what: str) -> AsyncIterator[None]:
    """Lock the file `path`; raises `EnvironmentFault` if it is not free in time."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not await wait_until(lambda: _try_lock(lock), patience_seconds):
            raise EnvironmentFault(
                f"{what} has been running for more than {patience_seconds:g} seconds: wait for "
                f"it, or end the process that holds {path}"
            )
        yield
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
