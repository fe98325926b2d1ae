"""The Redis of a region: what it follows, and how that is changed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from isshoni.rollout.errors import EnvironmentFault

_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class RedisSeen:
    """The replication of one Redis."""

    role: Literal["master", "slave"]
    link: str = ""
    offset: int = 0
    """How many bytes of the replicated stream it has."""


class RegionRedis:
    """One Redis server, asked with a timeout."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None

    async def read(self) -> RedisSeen:
        """Return its role, link and offset; raises `EnvironmentFault`."""
        info = await self._ask(lambda client: client.info("replication"))
        if info.get("role") != "slave":
            return RedisSeen("master", offset=int(info.get("master_repl_offset", 0)))
        copying = int(info.get("master_sync_in_progress", 0))
        link = "sync" if copying else str(info.get("master_link_status", "down"))
        return RedisSeen("slave", link, int(info.get("slave_repl_offset", 0)))

    async def promote(self) -> None:
        """Make it a primary. Idempotent; raises `EnvironmentFault`."""
        await self.command("REPLICAOF", "NO", "ONE")

    async def follow(self, host: str, port: int) -> None:
        """Make it a replica. Idempotent; raises `EnvironmentFault`."""
        await self.command("REPLICAOF", host, str(port))

    async def command(self, *words: str) -> Any:
        """Send a command, and return its answer; raises `EnvironmentFault`."""
        return await self._ask(lambda client: client.execute_command(*words))

    async def aclose(self) -> None:
        """Close its connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        import redis.asyncio  # slow to load, and few commands need it
        import redis.exceptions

        if self._client is None:
            self._client = redis.asyncio.from_url(
                self._url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=None,
            )
        try:
            return await question(self._client)
        except redis.exceptions.ResponseError as fault:
            raise EnvironmentFault(f"Redis refuses it: {fault}") from None
        except (redis.exceptions.RedisError, OSError, ValueError) as fault:
            await self.aclose()
            raise EnvironmentFault(f"Redis does not answer: {fault}") from None
