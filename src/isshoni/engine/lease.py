"""The right to change an environment: one holder at a time, and how it ends."""

import getpass
import os
import socket
from dataclasses import dataclass

import psutil

from isshoni.engine.process_identity import identify_process

LEASE_SECONDS = 5.0
"""A lease not renewed for this long may be taken by another."""


@dataclass(frozen=True)
class Holder:
    """The holder of a lease: a process, identified so that no other can be taken for it."""

    pid: int
    process_created: float
    """The process's start for earlier versions; it changes when the machine's clock is set."""
    host: str
    user: str
    what: str
    since: float
    identity: str = ""
    """From `identify_process`; empty if an earlier version took the lease."""

    @property
    def who(self) -> str:
        """The user and host, as users see them."""
        return f"{self.user}@{self.host}"


@dataclass(frozen=True)
class Lease:
    """A grant; `epoch` is greater than that of every grant before it."""

    epoch: int
    holder: Holder
    expires: float


def describe_self(what: str, now: float) -> Holder:
    """Return this process as a holder."""
    pid, created = os.getpid(), psutil.Process().create_time()
    identity = identify_process(pid) or ""
    return Holder(pid, created, socket.gethostname(), find_user(), what, now, identity)


def find_user() -> str:
    """Return the name of this process's user, or the uid if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_free(lease: Lease | None, now: float) -> bool:
    """True if a lease may be taken: none, expired, or its holder is surely dead."""
    return lease is None or lease.expires <= now or is_dead(lease.holder)


def is_dead(holder: Holder) -> bool:
    """True if a holder surely does not run any more; False if it is on another host."""
    if holder.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(holder.pid)
        return not _is_same(process, holder) or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, PermissionError):
        return False


def _is_same(process: psutil.Process, holder: Holder) -> bool:
    """True if the process is the holder, not a later one with the same pid."""
    if holder.identity:
        return identify_process(process.pid) == holder.identity
    return bool(abs(process.create_time() - holder.process_created) < 0.5)
