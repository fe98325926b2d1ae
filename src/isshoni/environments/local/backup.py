"""Write a backup of a local environment while it runs: one archive of what must survive.

Left out is what `isshoni up` makes again: programs, locks, logs, and the balancer's files.
"""

import contextlib
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isshoni.rollout.errors import EnvironmentFault

JOURNAL = "journal.sqlite"
AOF = Path("redis", "appendonlydir")
KEPT = ("ports.json", "process-ports.json", "secrets.json", "variables", "releases", "reports")
_MANIFEST = "appendonly.aof.manifest"
_TRIES = 20
"""Redis may rewrite its file between the reading of the manifest and the opening of a file."""


@dataclass(frozen=True)
class Backup:
    """A backup that was written."""

    file: str
    bytes: int
    has_sessions: bool
    """False if sessions are in a Redis that is not the environment's own."""


def write_backup(state_dir: Path, file: Path, *, own_redis: bool) -> Backup:
    """Write the archive to `file`, whole or not at all; readable by its owner only.

    Every message and edit that was acknowledged before the call is in it. Raises
    `EnvironmentFault`; an older archive at `file` is unchanged then.
    """
    if not file.parent.is_dir():
        raise EnvironmentFault(f"no backup was written: there is no directory {file.parent}")
    try:
        with _replacing(file) as target, tarfile.open(fileobj=target, mode="w:gz") as archive:
            _add_journal(archive, state_dir)
            if own_redis:
                _add_sessions(archive, state_dir)
            for name in KEPT:
                if (state_dir / name).exists():
                    archive.add(state_dir / name, name)
    except (OSError, sqlite3.Error) as fault:
        raise EnvironmentFault(f"no backup was written to {file}: {fault}") from None
    return Backup(str(file), file.stat().st_size, own_redis)


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `file` once it is on the disk."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _add_journal(archive: tarfile.TarFile, state_dir: Path) -> None:
    """Add the journal as one transaction sees it: its file alone lacks what is in the WAL."""
    if not (state_dir / JOURNAL).exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, JOURNAL)
        with (
            contextlib.closing(sqlite3.connect(state_dir / JOURNAL)) as journal,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            journal.backup(target)
        copy.chmod(0o600)
        archive.add(copy, JOURNAL)


def _add_sessions(archive: tarfile.TarFile, state_dir: Path) -> None:
    """Add the append-only file: its manifest, and the named files at their current length."""
    for folder in (AOF.parent, AOF):  # tar makes a folder that is not named open to other users
        archive.add(state_dir / folder, str(folder), recursive=False)
    with contextlib.ExitStack() as opened:
        manifest, files = _open_append_only(state_dir / AOF, opened.enter_context)
        for each in (manifest, *files):
            name = AOF / Path(each.name).name
            member = archive.gettarinfo(arcname=str(name), fileobj=each)
            archive.addfile(member, each)


def _open_append_only(
    folder: Path, keep: Callable[[BinaryIO], BinaryIO]
) -> tuple[BinaryIO, list[BinaryIO]]:
    """Open all files of one manifest; they stay readable if a rewrite then removes them."""
    for _ in range(_TRIES):
        manifest = keep(open(folder / _MANIFEST, "rb"))
        names = [_name_in(line) for line in manifest.read().decode().splitlines() if line]
        manifest.seek(0)
        try:
            return manifest, [keep(open(folder / name, "rb")) for name in names]
        except FileNotFoundError:
            continue
    raise FileNotFoundError(f"{folder} was rewritten {_TRIES} times while it was read")


def _name_in(line: str) -> str:
    """Return the file that a line of the manifest names: `file NAME seq 1 type i`."""
    words = line.split(" ")
    return words[words.index("file") + 1]
