"""Resolve and copy the source of a release: a directory, a wheel or a commit."""

import asyncio
import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable
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
    """A source with the content that it had at one moment."""

    kind: Literal["directory", "wheel", "git"]
    path: Path
    """The directory, the wheel, or the repository."""
    digest: str
    """The SHA-256 of the content; for git the commit's id."""

    @property
    def content(self) -> str:
        """Return the content id of a release made from this source."""
        return f"{self.kind}-{self.digest}"


async def resolve_source(source: str, directory: str | None = None) -> Source:
    """Return `source` with its current content; raises `ReleaseFault` if it does not exist.

    A git reference is looked up in the repository of `directory`, or of the working directory.
    """
    if source.startswith(GIT_PREFIX):
        return await _resolve_commit(source.removeprefix(GIT_PREFIX), directory or ".")
    return await asyncio.to_thread(_find_on_disk, source)


async def find_content(source: str, content: str, directory: str | None) -> Source:
    """Return the source if it still has `content`; raises `ReleaseFault` if not.

    `content` may be the beginning of a content id.
    """
    if source.startswith(GIT_PREFIX):
        commit = content.removeprefix("git-")
        return await _resolve_commit(commit, directory or ".")
    found = await resolve_source(source)
    if not found.content.startswith(content):
        raise ReleaseFault(f"{source} has other content now ({found.digest[:12]})")
    return found


async def copy_source(source: Source, target: Path) -> None:
    """Copy the content of `source` into the new directory `target`."""
    if source.kind == "git":
        await _check_out(source, target)
    else:
        await asyncio.to_thread(_copy, source, target)
        copied = await asyncio.to_thread(_digest_copy, source, target)
        if copied != source.digest:
            raise ReleaseFault(f"{source.path} changed while it was copied: deploy it again")


async def check_source(source: Source, *, needs_python: bool, cwd: str | None) -> None:
    """Raise `ReleaseFault` unless a source can be installed, and has the directory `cwd`."""
    if needs_python and source.kind != "wheel":
        refuse_unless_project(await _list_names(source))
    if cwd is not None and not await _has_directory(source, cwd):
        raise ReleaseFault(
            f"{source.path} has no directory {cwd!r}: `cwd` is a directory of the source"
        )


def refuse_unless_project(names: Iterable[str]) -> None:
    """Raise `ReleaseFault` unless one of the names of files makes a Python project."""
    if {"pyproject.toml", "requirements.txt"}.isdisjoint(names):
        raise ReleaseFault(
            "the source has no pyproject.toml and no requirements.txt: deploy a Python project, "
            "or set its start command with --command"
        )


async def _list_names(source: Source) -> list[str]:
    if source.kind == "directory":
        return await asyncio.to_thread(os.listdir, source.path)
    git = ["git", "-C", str(source.path), "ls-tree", "--name-only", "-z", source.digest]
    return (await run_tool(git)).output.split("\0")


async def _has_directory(source: Source, cwd: str) -> bool:
    parts = Path(cwd).parts
    if Path(cwd).is_absolute() or ".." in parts or source.kind == "wheel":
        return False
    if source.kind == "directory":
        return (source.path / cwd).is_dir()
    place = f"{source.digest}:{Path(cwd)}" if parts else f"{source.digest}^{{tree}}"
    kind = await run_tool(["git", "-C", str(source.path), "cat-file", "-t", place])
    return kind.output.strip() == "tree"


def _leave_out(directory: str, names: Iterable[str]) -> set[str]:
    """Return the entries of a directory that are not part of a release."""
    return {
        name
        for name in names
        if name in _LEFT_OUT or name.endswith(".pyc") or _is_state_directory(Path(directory, name))
    }


def _is_state_directory(path: Path) -> bool:
    """True for an environment's state, which changes all the time and has its secrets."""
    return all((path / name).is_file() for name in ("secrets.json", "secrets.lock"))


def _copy(source: Source, target: Path) -> None:
    if source.kind == "directory":
        shutil.copytree(source.path, target, ignore=_leave_out, symlinks=True)
    else:
        target.mkdir()
        shutil.copy(source.path, target)


def _find_on_disk(source: str) -> Source:
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        return Source("directory", path, _digest_directory(path))
    if path.is_file() and path.suffix == ".whl":
        return Source("wheel", path, _digest_file(path))
    raise ReleaseFault(f"source {source!r} is not a directory, a wheel (*.whl) or git:REF")


async def _resolve_commit(ref: str, directory: str) -> Source:
    git = ["git", "-C", directory, "rev-parse"]
    top = await run_tool([*git, "--show-toplevel"])
    commit = await run_tool([*git, "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"])
    if not top.ok:
        where = "here" if directory == "." else f"in {directory}"
        raise ReleaseFault(f"git:{ref} needs a git repository {where}: {top.last_lines}")
    if not commit.ok:
        raise ReleaseFault(f"git:{ref} is not a commit of {top.output.strip()}")
    return Source("git", Path(top.output.strip()), commit.output.strip())


async def _check_out(source: Source, target: Path) -> None:
    archive = target.with_suffix(".tar")
    command = ["git", "-C", str(source.path), "archive", "--output", str(archive), source.digest]
    result = await run_tool(command)
    if not result.ok:
        raise ReleaseFault(f"git cannot read the commit {source.digest}: {result.last_lines}")
    await asyncio.to_thread(_unpack, archive, target)


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    archive.unlink()


def _digest_copy(source: Source, copy: Path) -> str:
    if source.kind == "directory":
        return _digest_directory(copy)
    return _digest_file(copy / source.path.name)


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_directory(directory: Path) -> str:
    """Return a hash of the names and contents of the files that `copy_source` copies."""
    total = hashlib.sha256()
    for root, directories, files in os.walk(directory):
        directories[:] = sorted(set(directories) - _leave_out(root, directories))
        links = [name for name in directories if Path(root, name).is_symlink()]
        for name in sorted((set(files) - _leave_out(root, files)) | set(links)):
            path = Path(root, name)
            if path.is_file() or path.is_symlink():
                total.update(_describe_file(directory, path))
    return total.hexdigest()


def _describe_file(directory: Path, path: Path) -> bytes:
    """Return a line about a file for the digest: its hash or, for a link, its target."""
    if path.is_symlink():
        found = f"link {os.readlink(path)}"
    else:
        found = _digest_file(path) + (" x" if path.stat().st_mode & 0o100 else "")
    return os.fsencode(path.relative_to(directory)) + f"\0{found}\n".encode("utf-8", "replace")
