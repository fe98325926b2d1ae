"""Find the kind of filesystem of a directory: a journal cannot be on some kinds."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from isshoni.environments.disk import describe_os_error
from isshoni.environments.local.config import LocalConfig
from isshoni.rollout.errors import EnvironmentFault

NETWORK = frozenset(
    "afpfs afs beegfs ceph cifs coda davfs glusterfs gpfs lustre ncpfs nfs nfs4 "
    "panfs smb2 smb3 smbfs sshfs webdav".split()
)
"""Filesystems on which locks or shared memory may not work between machines."""
_FUSE = ("fuse.", "fuseblk.")
_NETWORK_FUSE = NETWORK | {"gcsfuse", "goofys", "mount-s3", "rclone", "s3fs", "blobfuse2"}


class Mount(NamedTuple):
    """One line of the mount table."""

    mountpoint: str
    fstype: str


def find_filesystem(directory: Path, mounts: Iterable[Mount] | None = None) -> str | None:
    """Return the kind of filesystem of a directory, which need not exist yet."""
    if mounts is None:
        listed = psutil.disk_partitions(all=True)
        mounts = [Mount(mount.mountpoint, mount.fstype) for mount in listed]
    path = os.path.realpath(directory)
    above = [mount for mount in mounts if _is_below(path, mount.mountpoint)]
    # Of two on the same mountpoint (an automounter and its mount) the last one counts.
    return max(enumerate(above), key=_depth, default=(0, Mount("/", "")))[1].fstype or None


def find_network_filesystem(directory: Path) -> str | None:
    """Return the kind of network filesystem of a directory; None if it is not on one."""
    kind = (find_filesystem(directory) or "").lower()
    return kind if is_network(kind) else None


def is_network(kind: str) -> bool:
    """True if this kind of filesystem is on another machine."""
    for prefix in _FUSE:
        if kind.startswith(prefix):
            return kind.removeprefix(prefix) in _NETWORK_FUSE
    return kind in NETWORK


def refuse_network_filesystem(config: LocalConfig) -> None:
    """Raise `EnvironmentFault` when the state directory is on a network filesystem."""
    kind = None if config.allow_network_filesystem else find_network_filesystem(config.state_dir)
    if kind is not None:
        raise EnvironmentFault(describe_refusal(config.state_dir, kind))


def describe_refusal(directory: Path, kind: str) -> str:
    """Return a message: why a network filesystem is refused, and what to do."""
    return (
        f"the state directory {directory} is on a network filesystem ({kind}): the journal's locks "
        "do not hold there, so two deploys could run at once and the journal could be damaged. "
        "Name a directory on a local disk in `state_dir` or $ISSHONI_STATE_DIR; if only this "
        "machine uses it, `allow_network_filesystem = true` in [environments.local] allows it"
    )


def _is_below(path: str, mountpoint: str) -> bool:
    return os.path.commonpath([path, mountpoint]) == mountpoint


def _depth(numbered: tuple[int, Mount]) -> tuple[int, int]:
    number, mount = numbered
    return len(mount.mountpoint), number


@contextlib.contextmanager
def translate_os_errors(state_dir: Path) -> Iterator[None]:
    """Raise an `OSError` as an `EnvironmentFault` that names the state directory."""
    try:
        yield
    except OSError as fault:
        why = describe_os_error(fault, state_dir)
        raise EnvironmentFault(f"the state directory {state_dir} cannot be used: {why}") from None
