"""Start, find and stop the supervisor of a state directory."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from isshoni.environments.disk import is_full
from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local.locking import one_at_a_time
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until

START_SECONDS = 15.0
STOP_SECONDS = 5.0
_LEAST_FREE_BYTES = 1 << 20


def supervisor_pid(state_dir: Path) -> int | None:
    """Return the pid of the running supervisor; None if there is none."""
    try:
        lock = os.open(state_dir / "supervisor.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        written = os.pread(lock, 20, 0)
        return int(written) if written.isdigit() else None
    finally:
        os.close(lock)


async def ensure_supervisor(state_dir: Path) -> None:
    """Start the supervisor unless it runs, and wait for its first turn. Idempotent."""
    if supervisor_pid(state_dir) is not None:
        return
    # Without the lock two callers would start two, of which one could get the lock just
    # when the other has been stopped.
    start_lock = state_dir / "supervisor-start.lock"
    async with one_at_a_time(start_lock, 2 * START_SECONDS, "another start of the supervisor"):
        if supervisor_pid(state_dir) is None:
            await _start(state_dir)


async def _start(state_dir: Path) -> None:
    await asyncio.to_thread(_start_detached, state_dir)
    log = ProgramFiles(state_dir).log_path("supervisor")
    if not await wait_until(lambda: supervisor_pid(state_dir) is not None, START_SECONDS):
        why = f"no answer in {START_SECONDS:g} seconds"
        if is_full(state_dir, _LEAST_FREE_BYTES):
            why += f", and the disk of {state_dir} is full: delete files there, then try again"
        raise ProgramNotReady("the supervisor", why, str(log))


def _start_detached(state_dir: Path) -> None:
    command = [sys.executable, "-m", "isshoni.environments.local.supervisor"]
    subprocess.run(
        [*command, str(state_dir), "--detach"], stdin=subprocess.DEVNULL, cwd="/", check=False
    )


async def stop_supervisor(state_dir: Path) -> None:
    """Stop the supervisor; programs that still run keep running. Idempotent."""
    pid = supervisor_pid(state_dir)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not await wait_until(lambda: supervisor_pid(state_dir) is None, STOP_SECONDS):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
