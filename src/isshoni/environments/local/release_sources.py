"""Where a release comes from: a directory, a wheel or a commit, known by its content."""

import asyncio
import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.tools import run_tool

GIT_PREFIX = "git:"
_LEFT_OUT = {
    ".git", ".venv", "venv", "__pycache__", "node_modules", ".isshoni", "dist",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".tox",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Something that can be installed, as it was at one moment."""

    kind: Literal["directory", "wheel", "git"]
    path: Path
    """The directory, the wheel, or the repository."""
    digest: str
    """Of the content; a commit's own id for git."""

    @property
    def key(self) -> str:
        """Name the directory that it is installed in."""
        return f"{self.kind}-{self.digest[:16]}"


async def resolve_source(source: str) -> Source:
    """Find what `source` names; raises `ReleaseFault` when there is no such thing."""
    if source.startswith(GIT_PREFIX):
        return await _resolve_commit(source.removeprefix(GIT_PREFIX))
    return await asyncio.to_thread(_find_on_disk, source)


async def copy_source(source: Source, target: Path) -> None:
    """Put what `source` holds into the new directory `target`."""
    if source.kind == "git":
        await _check_out(source, target)
    else:
        await asyncio.to_thread(_copy, source, target)


def _copy(source: Source, target: Path) -> None:
    if source.kind == "directory":
        left_out = shutil.ignore_patterns(*_LEFT_OUT, "*.pyc")
        shutil.copytree(source.path, target, ignore=left_out, symlinks=True)
    else:
        target.mkdir()
        shutil.copy(source.path, target)


def _find_on_disk(source: str) -> Source:
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        return Source("directory", path, _digest_directory(path))
    if path.is_file() and path.suffix == ".whl":
        return Source("wheel", path, _digest_file(path))
    raise ReleaseFault(f"source {source!r} is no directory, no wheel (*.whl) and no git:REF")


async def _resolve_commit(ref: str) -> Source:
    top = await run_tool(["git", "rev-parse", "--show-toplevel"])
    commit = await run_tool(
        ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    )
    if not top.ok:
        raise ReleaseFault(f"git:{ref} needs a git repository here: {top.last_lines}")
    if not commit.ok:
        raise ReleaseFault(f"git:{ref} is no commit of {top.output.strip()}")
    return Source("git", Path(top.output.strip()), commit.output.strip())


async def _check_out(source: Source, target: Path) -> None:
    archive = target.with_suffix(".tar")
    command = ["git", "-C", str(source.path), "archive", "--output", str(archive), source.digest]
    result = await run_tool(command)
    if not result.ok:
        raise ReleaseFault(f"git cannot give the commit {source.digest}: {result.last_lines}")
    await asyncio.to_thread(_unpack, archive, target)


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    archive.unlink()


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_directory(directory: Path) -> str:
    """Hash the names and the content of the files that `copy_source` would copy."""
    total = hashlib.sha256()
    for root, directories, files in os.walk(directory):
        directories[:] = sorted(set(directories) - _LEFT_OUT)
        for name in sorted(set(files) - _LEFT_OUT):
            path = Path(root, name)
            if path.suffix != ".pyc" and path.is_file():
                total.update(f"{path.relative_to(directory)}\0{_digest_file(path)}\n".encode())
    return total.hexdigest()
