"""Read the last lines of logs, and bound their size."""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 16 << 20
_TAIL_BYTES = 256 << 10


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """Return the last lines written after the byte `since`, oldest first."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = since if since <= size else 0  # it was truncated since
            file.seek(max(start, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []


def last_words(path: Path, *, since: int = 0, before: str | None = None) -> str | None:
    """Return the last line that is not empty, shortened; None if there is none.

    Lines from the last one that contains `before` on are ignored: another process wrote them.
    """
    spoken = [line.strip() for line in tail(path, 50, since=since) if line.strip()]
    if before is not None:
        others = [number for number, line in enumerate(spoken) if before in line]
        spoken = spoken[: others[-1]] if others else spoken
    return spoken[-1][:300] if spoken else None


def bound_log(path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Copy a log that is too long to `NAME.log.1`, and truncate it.

    It cannot be renamed, as its program keeps the file open, in append mode. Lines that are
    written between the copy and the truncation are lost.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
    except FileNotFoundError:
        return
