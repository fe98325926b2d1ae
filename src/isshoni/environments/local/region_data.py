"""The stored data of a region's Redis: a copy before it follows, and the record in it."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from isshoni.environments.local.files import read_bytes, write_atomically
from isshoni.environments.region_redis import RegionRedis
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import RegionRecord

DATA = "appendonlydir"
_FILES = "appendonly.aof.*"
_MANIFEST = "appendonly.aof.manifest"
_ATTEMPTS = 5
_LOAD_SECONDS = 120.0
_POLL_SECONDS = 0.05


def keep_copy(redis_directory: Path) -> Path:
    """Keep what a Redis has stored in a directory beside it, and return that directory.

    Links, so it takes no time and no space until Redis replaces its files. A running Redis goes
    on writing to the linked files, so the copy also gets what it writes before it follows.
    Raises `EnvironmentFault`.
    """
    began = datetime.now(UTC)
    kept = redis_directory / f"kept-{began:%Y%m%d-%H%M%S}-{began.microsecond:06}"
    try:
        for _ in range(_ATTEMPTS):
            if _link_files(redis_directory / DATA, kept / DATA):
                return kept
            remove_copy(kept)
    except OSError as fault:
        remove_copy(kept)
        raise EnvironmentFault(f"cannot keep a copy of the data in {kept}: {fault}") from None
    raise EnvironmentFault(f"cannot keep a copy of the data in {kept}: Redis replaces its files")


def describe_copy(name: str, kept: Path) -> str:
    """Return what is said about a copy that was kept."""
    return f"what only {name} may have had is kept in {kept}"


def remove_copy(kept: Path) -> None:
    """Remove a copy that is not needed."""
    shutil.rmtree(kept, ignore_errors=True)


def _link_files(data: Path, target: Path) -> bool:
    """Link all files of a Redis; False if it replaced some at the same time."""
    manifest = read_bytes(data / _MANIFEST)
    target.mkdir(mode=0o700, parents=True)
    with contextlib.suppress(FileNotFoundError):
        for path in data.glob(_FILES):
            if path.name != _MANIFEST:
                _link(path, target / path.name)
        write_atomically(target / _MANIFEST, manifest or b"")
        return read_bytes(data / _MANIFEST) == manifest
    return False


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(path, target)


async def read_stored_record(server: Path, directory: Path) -> RegionRecord | None:
    """Return the record of a Redis that does not run; None if it has none.

    Raises `EnvironmentFault` if the data cannot be loaded.
    """
    async with serve_stored(server, directory) as redis:
        term, writer = await redis.command("HMGET", "isshoni:region", "term", "writer")
    return None if term is None else RegionRecord(int(term), (writer or b"").decode())


@asynccontextmanager
async def serve_stored(server: Path, directory: Path) -> AsyncIterator[RegionRedis]:
    """Start a Redis on stored data, for reading by this user only; raises `EnvironmentFault`.

    It runs as a replica of nothing: a primary would remove expired keys from the files.
    """
    with TemporaryDirectory(prefix="isshoni-") as place:
        socket = Path(place) / "redis.sock"
        options: Mapping[str, object] = {
            "port": 0,
            "unixsocket": socket,
            "unixsocketperm": 700,
            "dir": directory,
            "appendonly": "yes",
            "save": "",
            "replicaof": "127.0.0.1 1",
            "auto-aof-rewrite-percentage": 0,
        }
        process = await asyncio.create_subprocess_exec(
            str(server),
            *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            stdout=asyncio.subprocess.DEVNULL,
        )
        redis = RegionRedis(f"unix://{socket}?db=0")
        try:
            await _wait_until_loaded(redis, process)
            yield redis
        finally:
            await redis.aclose()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _wait_until_loaded(redis: RegionRedis, process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _LOAD_SECONDS
    while True:
        try:
            await redis.command("DBSIZE")
            return
        except EnvironmentFault:
            if process.returncode is not None:
                raise EnvironmentFault(
                    f"Redis cannot load the data (exit code {process.returncode})"
                ) from None
            if loop.time() > until:
                raise
        await asyncio.sleep(_POLL_SECONDS)
