"""The limit on open files of the programs of a local environment."""

import contextlib
import resource
from pathlib import Path

import psutil

from isshoni.environments.local.supervision import supervisor_pid

_SPARE_FILES = 1000
_MAX_SOCKETS = 100_000
_LEAST_SOCKETS = 100


def open_files_limit(state_dir: Path) -> int:
    """Return the limit of the running programs, or of any that this process would start.

    `resource.RLIM_INFINITY` if there is no limit.
    """
    with contextlib.suppress(OSError, psutil.Error, AttributeError):  # only Linux shows others
        pid = supervisor_pid(state_dir)
        if pid is not None:
            return int(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[1])
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def affordable_sockets(limit: int) -> int:
    """Return how many connections Envoy may have: each needs two files, one per side."""
    if limit == resource.RLIM_INFINITY:
        return _MAX_SOCKETS
    return min(_MAX_SOCKETS, max(_LEAST_SOCKETS, (limit - _SPARE_FILES) // 2))
