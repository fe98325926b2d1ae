"""Read a SQLite database on a disk that cannot be written, from a copy elsewhere."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 (a directory in memory, not a predictable file)

Stamp = tuple[tuple[int, int] | None, ...]


class SqliteCopy:
    """A copy of a database and its WAL, made again when either has changed.

    The copy is needed because SQLite must write a shared-memory file even to read in WAL mode.
    """

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._prepare = prepare
        self._paths = [path, path.with_name(f"{path.name}-wal")]
        where = str(_IN_MEMORY) if _IN_MEMORY.is_dir() else None
        self._directory = tempfile.TemporaryDirectory(prefix="isshoni-", dir=where)
        self._stamp: Stamp | None = None
        self._db: sqlite3.Connection | None = None

    def connect(self) -> sqlite3.Connection:
        """Return a connection to an up-to-date copy; raises `OSError` and `sqlite3.Error`."""
        stamp = tuple(map(_stamp_of, self._paths))
        if self._db is None or stamp != self._stamp:
            self._disconnect()
            for path in self._paths:
                copy = Path(self._directory.name) / path.name
                copy.unlink(missing_ok=True)
                if path.exists():
                    shutil.copyfile(path, copy)
            copy = Path(self._directory.name) / self._paths[0].name
            self._db = sqlite3.connect(copy, isolation_level=None)
            self._prepare(self._db)
            self._stamp = stamp
        return self._db

    def close(self) -> None:
        """Close the connection and delete the copy."""
        self._disconnect()
        self._directory.cleanup()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
