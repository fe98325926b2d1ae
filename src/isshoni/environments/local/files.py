"""Write small state files atomically, readable by their owner only."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace the content of `path`; a reader sees the old or the new content, never a part.

    With `durable` the bytes are on the disk before the file is renamed: otherwise a power cut
    can leave an empty file.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_json(path: Path, document: Mapping[str, object]) -> bool:
    """Write `document` unless `path` has this content; return True if it was written."""
    content = msgspec.json.format(msgspec.json.encode(document), indent=1)
    if read_bytes(path) == content:
        return False
    write_atomically(path, content)
    return True


def read_bytes(path: Path) -> bytes | None:
    """Return a file's content; None if there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
