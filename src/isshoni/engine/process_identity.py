"""Identify a process by kernel numbers that do not change when the clock is set.

psutil computes the creation time of a process from the present time of day. After the
clock was set, every process seems to be another one.
"""

import sys
from pathlib import Path

import psutil

_PROC = Path("/proc")
_STARTED_AT_FIELD = 22


def read_boot_id() -> str:
    """Return an id of this boot of the machine; empty if the kernel has none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identify_process(pid: int) -> str | None:
    """Return an id that no other process with this pid has; None if there is no process.

    Raises `PermissionError` if reading about the process is not allowed.
    """
    if not sys.platform.startswith("linux"):
        return _identify_by_psutil(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in the second field may hold blanks and brackets.
    after_name = stat.rpartition(")")[2].split()
    return f"{read_boot_id()} {after_name[_STARTED_AT_FIELD - 3]}"


def _identify_by_psutil(pid: int) -> str | None:
    """Return psutil's own identity of a process: on macOS the kernel's start time."""
    try:
        return f"psutil {psutil.Process(pid)._get_ident()[1]}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as fault:
        raise PermissionError(str(fault)) from None
