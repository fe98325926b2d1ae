"""Small state files: written whole or not at all, readable by their owner only."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content`; a reader sees the old or the new, never a part.

    `durable` puts the bytes on the disk before the name points at them: without it
    a power cut can leave an empty file under the new name.
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
    """Write `document` unless `path` says so already; tells whether it wrote."""
    content = msgspec.json.format(msgspec.json.encode(document), indent=1)
    if read_bytes(path) == content:
        return False
    write_atomically(path, content)
    return True


def read_bytes(path: Path) -> bytes | None:
    """Read a file that may not be there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
