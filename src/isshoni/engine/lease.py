"""The right to change an environment: one holder at a time, and how it ends."""

import getpass
import os
import socket
from dataclasses import dataclass

import psutil

LEASE_SECONDS = 5.0
"""A lease not renewed for this long may be taken by another."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: a process that no other can be mistaken for."""

    pid: int
    process_created: float
    host: str
    user: str
    what: str
    since: float

    @property
    def who(self) -> str:
        """Name it for people."""
        return f"{self.user}@{self.host}"


@dataclass(frozen=True)
class Lease:
    """A grant; `epoch` is greater than that of every grant before it."""

    epoch: int
    holder: Holder
    expires: float


def describe_self(what: str, now: float) -> Holder:
    """Make the holder that this process is."""
    created = psutil.Process().create_time()
    return Holder(os.getpid(), created, socket.gethostname(), find_user(), what, now)


def find_user() -> str:
    """Name the user of this process, whatever its environment lacks."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_free(lease: Lease | None, now: float) -> bool:
    """Say whether a lease may be taken: none, expired, or its holder is surely dead."""
    return lease is None or lease.expires <= now or is_dead(lease.holder)


def is_dead(holder: Holder) -> bool:
    """Say whether a holder surely runs no more; of another host nothing is sure."""
    if holder.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(holder.pid)
        # The pid may be another's by now: its creation time tells.
        same = bool(abs(process.create_time() - holder.process_created) < 0.5)
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
