"""Describe errors of files in the operator's words, and name the disk if it is full."""

import errno
import shutil
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def describe_os_error(fault: OSError, directory: Path) -> str:
    """Return what went wrong; if the disk of `directory` is full, how much is free, and advice."""
    if fault.errno not in _FULL:
        return str(fault)
    return (
        f"{fault.strerror} (its disk has {_measure_free(directory) / 2**20:.0f} MiB free): delete "
        "files there, or raise the quota or limit of this user, then try again"
    )


def is_full(directory: Path, least_bytes: int) -> bool:
    """True if fewer than `least_bytes` are free on the disk of a directory."""
    return _measure_free(directory) < least_bytes


def _measure_free(directory: Path) -> int:
    there = next((path for path in (directory, *directory.parents) if path.exists()), Path("/"))
    return shutil.disk_usage(there).free
