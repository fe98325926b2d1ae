"""How many files, and so sockets, this process may have open; and when none is left."""

import contextlib
import errno
import logging
import os
import resource

from isshoni.backend.counters import Counters
from isshoni.backend.log import log_event

UNLIMITED = 1_000_000
_LEAST_SPARE = 64
_SPARE_SHARE = 16
_LOG_SECONDS = 10.0


def raise_open_files_limit() -> None:
    """Raise the soft limit to the hard one: the soft one is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED if soft == resource.RLIM_INFINITY else min(soft, UNLIMITED)


def affordable_connections(limit: int) -> int:
    """Calculate how many connections leave enough files for everything else.

    A connection beyond them can still be accepted, and told why it is not taken.
    """
    return max(1, limit - max(_LEAST_SPARE, limit // _SPARE_SHARE))


class OpenFilesWatch:
    """Notices when no file can be opened: connections are refused then before we see them."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._logged_at = float("-inf")

    def look(self, now: float) -> None:
        """Count, and log now and then, if no file can be opened."""
        try:
            os.close(os.dup(0))
        except OSError as fault:
            if fault.errno not in (errno.EMFILE, errno.ENFILE):
                return  # without a standard input nothing can be tried
            self._counters.seconds_out_of_files += 1
            if now - self._logged_at >= _LOG_SECONDS:
                self._logged_at = now
                log_event(
                    "out_of_open_files",
                    level=logging.ERROR,
                    limit=open_files_limit(),
                    meaning="new connections are cut before they are seen",
                    to_mend="raise the limit of open files (ulimit -n) of this process",
                )
