"""Stop the programs of a region that must not write any more."""

import contextlib

from isshoni.environments.local.process import StillHeld, find_holder, kill_group
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault

_BLOCK_SECONDS = 5.0


async def block(region: str, files: ProgramFiles) -> None:
    """Kill every program of a region, without a drain; nothing starts them again.

    Raises `EnvironmentFault` if one still runs.
    """
    for name in files.names_wanted():
        files.unwant(name)

    def is_over() -> bool:
        running = list_running(files)
        for pid in running:
            kill_group(pid)
        return not running

    if not await wait_until(is_over, _BLOCK_SECONDS):
        raise EnvironmentFault(f"programs of {region} still run: {list_running(files)}")


def list_running(files: ProgramFiles) -> list[int]:
    """Return the pids of the programs that run, by the locks that they hold."""
    pids = []
    for path in (path for name in sorted(files.names()) for path in files.lock_paths(name)):
        with contextlib.suppress(StillHeld):  # it is being started: found at the next look
            holder = find_holder(path)
            pids += [holder.pid] if holder else []
    return pids
