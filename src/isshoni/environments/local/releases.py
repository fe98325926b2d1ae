"""Install releases on one machine, each once, in a directory of its own.

`releases/KEY/` holds a copy of the source (`source/`), its Python environment
(`venv/`), and `installed.json`, which is written last: without it the installation
is incomplete, and is made again. KEY is the content id that the release was deployed
with; later changes of its source do not matter.
"""

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import msgspec
import uv

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.files import read_bytes, write_atomically
from isshoni.environments.local.locking import one_at_a_time
from isshoni.environments.local.release_sources import (
    Source,
    check_source,
    copy_source,
    find_content,
    refuse_unless_project,
    resolve_source,
)
from isshoni.environments.local.tools import ToolResult, run_tool
from isshoni.environments.progress import ReportStep
from isshoni.rollout.model import Release

KEEP_LATEST = 3
"""How many unused installations are kept, beside those kept for rollbacks."""
KEEP_STABLES = 5
"""How many earlier releases stay installed for `isshoni rollback`."""
_DIGITS_IN_KEY = 16
_INSTALL_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Installed:
    """The interpreter, directory and variables of an installed release."""

    python: Path
    directory: Path | None = None
    """The working directory of its command; None: that of the supervisor."""
    env: dict[str, str] = field(default_factory=dict)
    prefers_path: bool = False
    """True if it has no environment of its own: `python` is then not its own either."""

    def resolve(self, command: list[str], env: Mapping[str, str] | None = None) -> list[str]:
        """Return `command` with the program of the release's own environment, if it has one.

        For a command without a source that is Isshoni's own, unless `env` has another one active:
        then its PATH decides, as in the caller's shell.
        """
        if "/" in command[0]:
            return command
        if self.prefers_path and _is_on_active_path(command[0], env or {}):
            return command
        if command[0] in ("python", "python3"):
            return [str(self.python), *command[1:]]
        own = self.python.parent / command[0]
        return [str(own), *command[1:]] if own.exists() else command


def _is_on_active_path(name: str, env: Mapping[str, str]) -> bool:
    """True if a Python environment other than ours is active in `env`, and PATH has `name`."""
    active = [env[variable] for variable in ("VIRTUAL_ENV", "CONDA_PREFIX") if env.get(variable)]
    if not active or Path(active[0]).resolve() == Path(sys.prefix).resolve():
        return False
    return shutil.which(name, path=env.get("PATH", os.defpath)) is not None


class ReleaseStore:
    """The releases under `STATE_DIR/releases`."""

    def __init__(self, state_dir: Path, progress: ReportStep) -> None:
        self._directory = state_dir / "releases"
        self._progress = progress

    async def resolve(self, release: Release) -> Release:
        """Return `release` with the current content id of its source; raises `ReleaseFault`."""
        if release.source is None or release.content is not None:
            return release
        with _translated(release):
            source = await resolve_source(release.source, release.directory)
            await check_source(source, needs_python=release.command is None, cwd=release.cwd)
        directory = str(source.path) if source.kind == "git" else release.directory
        return replace(release, content=source.content, directory=directory)

    async def install(
        self, release: Release, in_use: Collection[Path], stables: Iterable[Release] = ()
    ) -> None:
        """Install `release` with the content it was deployed with, unless it is installed.

        Then remove older installations, except the latest few, those of the first few of
        `stables` (newest first) and those with a directory of `in_use`. Raises `ReleaseFault`
        with the last lines of the tool that failed.
        """
        if release.source is None:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._directory / "install.lock"
        with _translated(release):
            async with one_at_a_time(lock, _INSTALL_PATIENCE_SECONDS, "another installation"):
                target = await self._install(release, release.source)
                os.utime(target)
                kept = (self._find(stable) for stable in islice(stables, KEEP_STABLES))
                in_use = {target, *in_use, *(path for path in kept if path)}
                await asyncio.to_thread(self._remove_old, in_use)

    async def _install(self, release: Release, origin: str) -> Path:
        target = self._find(release)
        if target is not None and _is_whole(target):
            return target
        source = await self._read_source(release, origin, target)
        target = self._directory / _make_key(source.content)
        if not _is_whole(target):
            self._progress(f"installing {release.name} from {origin}")
            await self._build(release, source, target)
        if release.content is None:
            self._pin(release, target.name)
        return target

    async def _read_source(self, release: Release, origin: str, target: Path | None) -> Source:
        """Return the source with the release's content or, if that is unknown, its current one."""
        content = release.content or (target.name if target else None)
        if content is None:
            return await resolve_source(origin, release.directory)
        try:
            return await find_content(origin, content, release.directory)
        except ReleaseFault as fault:
            raise ReleaseFault(
                f"{release.name} is no longer installed here and cannot be installed again: {fault}"
            ) from None

    def _find(self, release: Release) -> Path | None:
        """Return the directory a release is or was installed in; None if never recorded."""
        if release.content is not None:
            return self._directory / _make_key(release.content)
        key = read_bytes(self._pin_path(release))  # by a version that recorded no content
        return self._directory / os.fsdecode(key) if key else None

    def locate(self, release: Release) -> Installed:
        """Return where a release is installed; raises `ReleaseFault` if it is not."""
        if release.source is None:
            directory = _find_working_directory(release)
            return Installed(Path(sys.executable), directory, prefers_path=True)
        target = self._find(release)
        if target is None or not _is_whole(target):
            raise ReleaseFault(f"{release.name} from {release.source} is not installed here")
        venv = target / "venv"
        source = target / "source"
        directory = _find_directory_in(source, release)
        if not venv.exists():  # not a Python program
            return Installed(Path(sys.executable), directory, prefers_path=True)
        path = f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return Installed(
            venv / "bin" / "python",
            directory,
            {"PATH": path, "VIRTUAL_ENV": str(venv), "PYTHONPATH": ""},
        )

    def is_installed(self, release: Release) -> bool:
        """True if `release` can be started without an installation."""
        if release.source is None:
            return True
        target = self._find(release)
        return target is not None and _is_whole(target)

    async def _build(self, release: Release, source: Source, target: Path) -> None:
        await asyncio.to_thread(_empty, target)
        await copy_source(source, target / "source")
        venv = target / "venv"
        steps = plan_installation(target / "source", venv, needs_python=release.command is None)
        for step in steps:
            result = await _run_uv(step, target / "source", venv)
            if not result.ok:
                await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
                raise ReleaseFault(
                    f"{release.name} from {release.source} cannot be installed: "
                    f"uv {step[0]} said: {result.last_lines}"
                )
        about = {"key": target.name, "content": source.content}
        write_atomically(target / "installed.json", msgspec.json.encode(about))

    def _pin(self, release: Release, key: str) -> None:
        path = self._pin_path(release)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, key.encode())

    def _pin_path(self, release: Release) -> Path:
        name = f"{release.label}\0{release.source}".encode()
        return self._directory / "pinned" / hashlib.sha256(name).hexdigest()[:32]

    def _remove_old(self, in_use: Collection[Path]) -> None:
        installed = [path for path in self._directory.glob("*-*") if path.is_dir()]
        by_age = sorted(installed, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_age[KEEP_LATEST:]:
            if not any(used.is_relative_to(path) for used in in_use):
                # The mark first: a partly removed directory must not count as an installation.
                (path / "installed.json").unlink(missing_ok=True)
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _translated(release: Release) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise ReleaseFault(
            f"{release.label} from {release.source} cannot be copied: {fault}"
        ) from None


def _make_key(content: str) -> str:
    """Return the directory name for a content id."""
    kind, _, digest = content.partition("-")
    return f"{kind}-{digest[:_DIGITS_IN_KEY]}"


def _is_whole(directory: Path) -> bool:
    return (directory / "installed.json").exists()


def _find_working_directory(release: Release) -> Path | None:
    """Return the working directory of a command without a source, or raise `ReleaseFault`."""
    if release.directory is None or (release.command is None and not release.side_programs):
        return None
    directory = Path(release.directory)
    if not directory.is_dir():
        raise ReleaseFault(f"{release.label} runs in {directory}, which no longer exists")
    return directory


def _find_directory_in(source: Path, release: Release) -> Path:
    """Return the working directory of a release with a source, or raise `ReleaseFault`."""
    if release.cwd is None:
        return source
    directory = source / release.cwd
    if not directory.is_dir() or not directory.resolve().is_relative_to(source.resolve()):
        raise ReleaseFault(f"{release.name} has no directory {release.cwd!r} to run in")
    return directory


def _empty(directory: Path) -> None:
    """Create `directory`; remove what an unfinished installation left in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)


def plan_installation(directory: Path, venv: Path, *, needs_python: bool) -> list[list[str]]:
    """Return the uv commands that install a source; none if it is not a Python project.

    Raises `ReleaseFault` when Python is needed and nothing says what to install.
    """
    python = ["--python", sys.executable]
    make = ["venv", "--quiet", "--no-project", *python, str(venv)]
    into = ["pip", "install", "--quiet", "--python", str(venv / "bin" / "python")]
    wheels = list(directory.glob("*.whl"))
    if needs_python and not wheels:
        refuse_unless_project(path.name for path in directory.iterdir())
    if (directory / "pyproject.toml").exists():
        if (directory / "uv.lock").exists():
            return [["sync", "--quiet", "--frozen", "--no-dev", "--no-editable", *python]]
        return [make, [*into, str(directory)]]
    if (directory / "requirements.txt").exists():
        return [make, [*into, "-r", str(directory / "requirements.txt")]]
    if wheels:
        return [make, [*into, str(wheels[0])]]
    return []


async def _run_uv(step: list[str], directory: Path, venv: Path) -> ToolResult:
    """Run uv; if that fails, run it again offline, with its cache only."""
    environment = {"UV_PROJECT_ENVIRONMENT": str(venv), "VIRTUAL_ENV": ""}
    command = [uv.find_uv_bin(), *step]
    result = await run_tool(command, cwd=directory, env=environment)
    if result.ok:
        return result
    offline = await run_tool([*command, "--offline"], cwd=directory, env=environment)
    return offline if offline.ok else result
