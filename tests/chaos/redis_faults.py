"""The faults of Redis itself: what it refuses, delays, forgets or cuts."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import redis.asyncio
import redis.exceptions

from isshoni.environments.waiting import wait_until
from tests.chaos.fault_list import fault
from tests.chaos.installation import Installation
from tests.chaos.process_faults import BACK_SECONDS
from tests.support.valkey import ValkeyServer

_LAG_SECONDS = 0.5
_REFUSED_SECONDS = 1.5
_RIGHTS = ("@write", "@scripting", "@pubsub")
"""Each is removed from the backend's Redis user for a while."""
_RIGHT_SECONDS = 0.8


@fault
async def cut_subscriptions(installation: Installation) -> None:
    """Cut the connections that hear what is published, three times, and no others."""
    for _ in range(3):
        await order_redis(installation, lambda redis: redis.client_kill_filter(_type="pubsub"))
        await asyncio.sleep(0.2)


@fault
async def pause_redis_writes(installation: Installation) -> None:
    """Let Redis answer reads at once and writes late."""
    await order_redis(installation, lambda redis: redis.client_pause(1500, all=False))
    await asyncio.sleep(1.5)


@asynccontextmanager
async def redis_setting(installation: Installation, name: str, value: str) -> AsyncIterator[None]:
    """Set a setting of Redis, and set it to 0 at the end."""
    await order_redis(installation, lambda redis: redis.config_set(name, value))
    try:
        yield
    finally:
        await order_redis(installation, lambda redis: redis.config_set(name, "0"))


async def order_redis(
    installation: Installation, command: Callable[["redis.asyncio.Redis"], Awaitable[object]]
) -> None:
    """Send Redis a command until it obeys; another fault may keep it from answering at once."""

    async def obeyed() -> bool:
        with suppress(redis.exceptions.RedisError, OSError):
            async with installation.redis_client() as client:
                await command(client)
                return True
        return False

    assert await wait_until(obeyed, BACK_SECONDS), "Redis did not obey a command"


@fault
async def fill_redis(installation: Installation) -> None:
    """Let Redis refuse every write for want of memory (OOM)."""
    async with redis_setting(installation, "maxmemory", "1mb"):
        await asyncio.sleep(_REFUSED_SECONDS)


@fault
async def make_redis_read_only(installation: Installation) -> None:
    """Let Redis refuse every write for want of replicas (NOREPLICAS)."""
    async with redis_setting(installation, "min-replicas-to-write", "1"):
        await asyncio.sleep(_REFUSED_SECONDS)


@fault
async def remove_redis_rights(installation: Installation) -> None:
    """Remove one right after another from the backend's Redis user, and restore each (NOPERM)."""
    for right in _RIGHTS:
        await _change_user(installation, f"-{right}")
        try:
            await asyncio.sleep(_RIGHT_SECONDS)
        finally:
            await _change_user(installation, "+@all")


@fault
async def remove_redis_channels(installation: Installation) -> None:
    """Remove all channels from the backend's Redis user, and restore them; subscribers are cut."""
    await _change_user(installation, "resetchannels")
    try:
        await asyncio.sleep(_RIGHT_SECONDS)
    finally:
        await _change_user(installation, "allchannels")


async def _change_user(installation: Installation, rule: str) -> None:
    def change(client: "redis.asyncio.Redis") -> Awaitable[object]:
        answer: Awaitable[object] = client.execute_command("ACL", "SETUSER", "default", rule)  # type: ignore[no-untyped-call]
        return answer

    await order_redis(installation, change)


@fault
async def promote_a_lagging_replica(installation: Installation) -> None:
    """Replace Redis by a replica that lagged, while the backend is frozen."""
    async with lagging_replica(installation) as replica, frozen_stable(installation):
        await become_copy_of(installation, replica.port)


@asynccontextmanager
async def lagging_replica(installation: Installation) -> AsyncIterator[ValkeyServer]:
    """Make a copy of Redis that lacks what is acknowledged after it was made."""
    with TemporaryDirectory() as directory, ValkeyServer(Path(directory) / "replica") as replica:
        await _copy_redis(installation, replica)
        await asyncio.sleep(_LAG_SECONDS)
        yield replica


@asynccontextmanager
async def frozen_stable(installation: Installation) -> AsyncIterator[None]:
    """Stop the backend that the clients are on (SIGSTOP), and let it go on at the end."""
    backend = installation.stable().colour
    pid = installation.send(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        if pid is not None:
            installation.send(backend, signal.SIGCONT, pid)


async def _copy_redis(installation: Installation, replica: ValkeyServer) -> None:
    async with installation.redis_client() as primary:
        await primary.config_set("repl-diskless-sync-delay", 0)
        options = primary.connection_pool.connection_kwargs
        replica.command("CONFIG", "SET", "masterauth", options["password"])
        replica.command("REPLICAOF", "127.0.0.1", str(options["port"]))

        def is_copy() -> bool:
            return b"master_link_status:up" in replica.command("INFO", "replication")

        assert await wait_until(is_copy, BACK_SECONDS), "the replica never came into step"
    replica.command("REPLICAOF", "NO", "ONE")
    replica.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")


async def become_copy_of(installation: Installation, port: int) -> None:
    """Replace all data of Redis with those of the server on `port`."""
    async with installation.redis_client() as client:
        await client.config_set("masterauth", "")
        await client.replicaof("127.0.0.1", port)

        async def is_copy() -> bool:
            with suppress(redis.exceptions.RedisError, OSError):
                return (await client.info("replication")).get("master_link_status") == "up"
            return False

        assert await wait_until(is_copy, BACK_SECONDS), "Redis never became the copy"
        await client.replicaof("NO", "ONE")
        for kind in ("pubsub", "normal"):
            await client.client_kill_filter(_type=kind, skipme=True)
