"""Read small state files, and write them atomically, readable by their owner only."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from isshoni.rollout.errors import EnvironmentFault

T = TypeVar("T")


class DamagedFile(EnvironmentFault):
    """A state file has content that cannot be read; it is not replaced."""

    def __init__(self, path: Path, why: object, advice: str) -> None:
        super().__init__(f"{path} is damaged ({why}): {advice}")
        self.path = path
        self.advice = advice


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


def read_json(path: Path, kind: type[T], advice: str) -> T | None:
    """Return the content of a JSON file; None if there is no such file.

    Raises `DamagedFile`, with what to do about it, if it is not of this kind.
    """
    content = read_bytes(path)
    return None if content is None else parse_json(content, kind, path, advice)


def parse_json(content: bytes, kind: type[T], path: Path, advice: str) -> T:
    """Return the parsed content of a file; raises `DamagedFile`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        # An error about bytes that are not UTF-8 is no `DecodeError`, and may contain secrets.
        why = "it is not UTF-8" if isinstance(fault, UnicodeError) else fault
        raise DamagedFile(path, why, advice) from None
