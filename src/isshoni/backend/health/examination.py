"""Examine a Redis as a backend would use it, for commands that run before any backend."""

from collections.abc import Collection
from dataclasses import dataclass

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.health.rehearsal import rehearse
from isshoni.backend.store.redis.link import InvalidRedisUrl
from isshoni.backend.store.redis.requirements import Finding, describe_version, judge_servers
from isshoni.backend.store.redis.store import RedisStore

__all__ = ["Examined", "InvalidRedisUrl", "examine"]


@dataclass(frozen=True)
class Examined:
    """The result of examining a Redis."""

    fault: str | None
    """Why clients cannot be served with it; None if they can."""
    limit: str | None
    """Why nothing can be saved on it at present; None if it can."""
    findings: list[Finding]
    version: str = ""

    @property
    def errors(self) -> list[Finding]:
        """Findings that make `up` refuse this Redis, unless `redis_accept` names them."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[str]:
        """Findings that do not prevent its use, a sentence each."""
        details = [f.detail for f in self.findings if f.level in ("warning", "unchecked")]
        return [
            *details,
            *([f"nothing can be saved at present: {self.limit}"] if self.limit else []),
        ]


async def examine(url: str, accepted: Collection[str]) -> Examined:
    """Rehearse a client session on a Redis, and compare its settings with docs/redis.md.

    Raises `InvalidRedisUrl` for a URL that names no Redis.
    """
    store = RedisStore(url)
    try:
        await store.start()
        rehearsed = await rehearse(store)
        servers = await _read_info(store)
    finally:
        await store.aclose()
    findings = judge_servers(servers, accepted)
    version = next((describe_version(info) for info in servers if info), "")
    return Examined(rehearsed.fault, rehearsed.limit, findings, version)


async def _read_info(store: RedisStore) -> list[dict[str, str] | None]:
    try:
        return await store.read_info()
    except StoreUnavailable:  # the rehearsal has reported it
        return []
