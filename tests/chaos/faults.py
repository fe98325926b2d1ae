"""The faults: each strikes, lasts as long as it must, and is healed when it returns."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import redis.asyncio
import redis.exceptions

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release
from tests.chaos.installation import BALANCER, PROXY, REDIS, SUPERVISOR, Installation
from tests.support.valkey import ValkeyServer

Fault = Callable[[Installation], Awaitable[None]]
FAULTS: dict[str, Fault] = {}
"""Every fault by its name, for the tests, the random runner and the benchmark."""

FREEZE_SECONDS = 2.5
BACK_SECONDS = 60.0
_LAG_SECONDS = 0.5
_PULSE_SECONDS = 0.15
_BREATH_SECONDS = 0.01


def fault(action: Fault) -> Fault:
    """Put a fault on the list."""
    FAULTS[action.__name__] = action
    return action


async def kill(installation: Installation, name: str) -> None:
    """kill -9 a part, and wait until it is back as another process."""
    old = installation.pid(name)
    installation.kill(name)
    await _wait_for_another(installation, name, old)


async def _wait_for_another(installation: Installation, name: str, old: int | None) -> None:
    came = await wait_until(lambda: installation.pid(name) not in (old, None), BACK_SECONDS)
    assert came, f"{name} did not come back in {BACK_SECONDS:g} s"


async def freeze(installation: Installation, name: str, seconds: float = FREEZE_SECONDS) -> None:
    """Stop a part's process, with all its connections open, and let it go on."""
    pid = installation.send(name, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        if pid is not None:
            installation.send(name, signal.SIGCONT, pid)


@fault
async def kill_stable(installation: Installation) -> None:
    """kill -9 the backend that everybody is on."""
    await kill(installation, installation.stable().colour)


async def kill_stable_beside_another(installation: Installation) -> None:
    """kill -9 the backend that everybody is on while the other slot serves as well.

    Not on the list: it needs the slot that a deploy at the same time would use, and
    leaves it running, for stopping it would be a second cut.
    """
    environment, stable = installation.environment, installation.stable().colour
    await environment.compute.start(installation.candidate(), Release("v-spare"))

    async def both_serve() -> bool:
        health = await environment.traffic.observe_health()
        return all(health.values()) and await installation.stable_answers()

    assert await wait_until(both_serve, BACK_SECONDS), "the two never served at once"
    await kill(installation, stable)
    assert await wait_until(both_serve, BACK_SECONDS), "the two never served again"


@fault
async def kill_redis(installation: Installation) -> None:
    """kill -9 Redis; it comes back on its append-only file."""
    await kill(installation, REDIS)


@fault
async def kill_balancer(installation: Installation) -> None:
    """kill -9 the load balancer."""
    await kill(installation, BALANCER)


@fault
async def kill_supervisor(installation: Installation) -> None:
    """kill -9 the supervisor, and then the backend that nobody looks after."""
    installation.kill(SUPERVISOR)
    installation.kill(installation.stable().colour)
    await asyncio.sleep(1.0)
    await installation.repair()


@fault
async def kill_redis_and_stable(installation: Installation) -> None:
    """kill -9 both at the same moment."""
    await asyncio.gather(kill_redis(installation), kill_stable(installation))


@fault
async def restart_redis(installation: Installation) -> None:
    """End Redis in good order (SIGTERM), as an upgrade does."""
    old = installation.send(REDIS, signal.SIGTERM)
    await _wait_for_another(installation, REDIS, old)


@fault
async def freeze_stable(installation: Installation) -> None:
    """SIGSTOP the backend that everybody is on."""
    await freeze(installation, installation.stable().colour)


@fault
async def freeze_redis(installation: Installation) -> None:
    """SIGSTOP Redis."""
    await freeze(installation, REDIS)


@fault
async def freeze_balancer(installation: Installation) -> None:
    """SIGSTOP the load balancer."""
    await freeze(installation, BALANCER)


@fault
async def freeze_supervisor(installation: Installation) -> None:
    """SIGSTOP the supervisor while the backend that it looks after dies."""
    pid = installation.send(SUPERVISOR, signal.SIGSTOP)
    installation.kill(installation.stable().colour)
    await asyncio.sleep(1.0)
    installation.send(SUPERVISOR, signal.SIGCONT, pid)


@fault
async def cut_redis_connections(installation: Installation) -> None:
    """Cut every connection to Redis, and refuse new ones for a moment."""
    await kill(installation, PROXY)


@fault
async def black_hole_redis(installation: Installation) -> None:
    """Let what is sent to Redis vanish; connections look whole, new ones too."""
    await freeze(installation, PROXY)


@fault
async def slow_redis_link(installation: Installation) -> None:
    """Make every round trip to Redis take up to a sixth of a second."""
    for _ in range(12):
        await freeze(installation, PROXY, _PULSE_SECONDS)
        await asyncio.sleep(_BREATH_SECONDS)


@fault
async def cut_subscriptions(installation: Installation) -> None:
    """Cut the connections that hear what is published, three times, and no others."""
    for _ in range(3):
        await _tell_redis(installation, lambda redis: redis.client_kill_filter(_type="pubsub"))
        await asyncio.sleep(0.2)


@fault
async def pause_redis_writes(installation: Installation) -> None:
    """Let Redis answer reads at once and writes late."""
    await _tell_redis(installation, lambda redis: redis.client_pause(1500, all=False))
    await asyncio.sleep(1.5)


@asynccontextmanager
async def redis_setting(installation: Installation, name: str, value: str) -> AsyncIterator[None]:
    await _tell_redis(installation, lambda redis: redis.config_set(name, value))
    try:
        yield
    finally:
        await _tell_redis(installation, lambda redis: redis.config_set(name, "0"))


async def _tell_redis(
    installation: Installation, command: Callable[["redis.asyncio.Redis"], Awaitable[object]]
) -> None:
    """Give Redis a command; another fault may keep it from answering at once."""

    async def taken() -> bool:
        with suppress(redis.exceptions.RedisError, OSError):
            async with installation.redis_client() as client:
                await command(client)
                return True
        return False

    assert await wait_until(taken, BACK_SECONDS), "Redis did not take a command"


@fault
async def fill_redis(installation: Installation) -> None:
    """Let Redis refuse every write for want of memory (OOM)."""
    async with redis_setting(installation, "maxmemory", "1mb"):
        await asyncio.sleep(1.5)


@fault
async def make_redis_read_only(installation: Installation) -> None:
    """Let Redis refuse every write for want of replicas (NOREPLICAS)."""
    async with redis_setting(installation, "min-replicas-to-write", "1"):
        await asyncio.sleep(1.5)


@fault
async def promote_a_lagging_replica(installation: Installation) -> None:
    """Put Redis back to where a lagging replica was, while the backend is frozen."""
    with TemporaryDirectory() as directory, ValkeyServer(Path(directory) / "replica") as replica:
        await _copy_redis(installation, replica)
        await asyncio.sleep(_LAG_SECONDS)  # acknowledged meanwhile, and not in the replica
        backend = installation.stable().colour
        pid = installation.send(backend, signal.SIGSTOP)
        try:
            await _become_copy_of(installation, replica.port)
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


async def _become_copy_of(installation: Installation, port: int) -> None:
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
