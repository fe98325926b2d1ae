"""Which process is which: by numbers of the kernel that no change of the clock moves.

A process's creation time as psutil tells it is the machine's start, reckoned back from
the present time of day, plus the process's age at that: set the clock, and every
process seems to be another.
"""

import sys
from pathlib import Path

import psutil

_PROC = Path("/proc")
_STARTED_AT_FIELD = 22


def read_boot_id() -> str:
    """Return what this start of the machine is known by; empty where the kernel names none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identify_process(pid: int) -> str | None:
    """Return what tells a process from every other of its pid; None: no such process.

    Raises `PermissionError` where the process may not be looked at.
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
    """Use what psutil compares processes by: on macOS the start that the kernel noted."""
    try:
        return f"psutil {psutil.Process(pid)._get_ident()[1]}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as fault:
        raise PermissionError(str(fault)) from None
