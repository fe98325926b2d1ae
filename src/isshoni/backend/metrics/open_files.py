"""The limit on open files (and so on sockets) of this process; notice when it is reached."""

import contextlib
import errno
import logging
import os
import resource

from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters

UNLIMITED = 1_000_000
_LEAST_SPARE = 64
_SPARE_SHARE = 16
_LOG_SECONDS = 10.0


def raise_open_files_limit() -> None:
    """Raise the soft limit to the hard one; only programs with select() need a low one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if soft == resource.RLIM_INFINITY else min(soft, UNLIMITED)


def affordable_connections(limit: int) -> int:
    """Calculate how many connections leave enough files for everything else.

    Files are left for further connections too, which are accepted and refused with a reason.
    """
    return max(1, limit - max(_LEAST_SPARE, limit // _SPARE_SHARE))


class OpenFilesWatch:
    """Detects that this process can open no more files.

    The system then cuts new connections before the process sees them.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._logged_at = float("-inf")

    def look(self, now: float) -> None:
        """Try to open a file; on failure count it, and log it from time to time."""
        try:
            os.close(os.dup(0))
        except OSError as fault:
            if fault.errno not in (errno.EMFILE, errno.ENFILE):
                return  # there is no standard input to duplicate
            self._counters.seconds_out_of_files += 1
            if now - self._logged_at >= _LOG_SECONDS:
                self._logged_at = now
                log_event(
                    "out_of_open_files",
                    level=logging.ERROR,
                    limit=open_files_limit(),
                    meaning="the system cuts new connections before this process sees them",
                    to_mend="raise the limit of open files (ulimit -n) of this process",
                )
