"""The faults of processes: killed, stopped (SIGSTOP) or cut from Redis, and whole at the end."""

import asyncio
import signal

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release
from tests.chaos.fault_list import fault
from tests.chaos.installation import BALANCER, PROXY, REDIS, SUPERVISOR, Installation

FREEZE_SECONDS = 2.5
BACK_SECONDS = 60.0
_PULSE_SECONDS = 0.15
_BREATH_SECONDS = 0.01


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
    """kill -9 the backend that the clients are on."""
    await kill(installation, installation.stable().colour)


async def kill_stable_beside_another(installation: Installation) -> None:
    """kill -9 the backend that the clients are on while the other slot serves as well.

    Not on the list: it needs the slot that a deploy at the same time would use, and
    leaves it running, for stopping it would be a second cut.
    """
    await start_other_slot(installation)
    await kill(installation, installation.stable().colour)
    await wait_until_both_serve(installation)


async def start_other_slot(installation: Installation) -> None:
    """Start a second backend, and wait until the load balancer finds both healthy."""
    compute = installation.environment.compute
    await compute.start(installation.candidate(), Release("v-spare"))
    await wait_until_both_serve(installation)


async def wait_until_both_serve(installation: Installation) -> None:
    """Wait until both slots are healthy for the load balancer."""

    async def both_serve() -> bool:
        health = await installation.environment.traffic.observe_health()
        return all(health.values()) and await installation.stable_answers()

    assert await wait_until(both_serve, BACK_SECONDS), "the two never served at once"


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
    """kill -9 the supervisor, and then the backend that is then unsupervised."""
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
    """SIGSTOP the backend that the clients are on."""
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


async def hang_stable(installation: Installation) -> None:
    """SIGSTOP the backend for good: its supervisor must end it and start another.

    Not on the list: it takes `hang_seconds`, which are few in an installation for it only.
    """
    backend = installation.stable().colour
    old = installation.send(backend, signal.SIGSTOP)
    await _wait_for_another(installation, backend, old)
