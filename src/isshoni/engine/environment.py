"""The ports of a target environment, and one observation of all of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from isshoni.engine.journal import Journal
from isshoni.engine.steady_clock import read_time
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, BackendStatus, Colour, FiringAlarm, Observation
from isshoni.rollout.ports import Alarms, Backends, Compute, Probes, Traffic

LOOK_SECONDS = 2.0
"""The longest that an observation may take; shorter than a lease."""


@dataclass(frozen=True)
class Environment:
    """The ports of one target environment, and its journal."""

    traffic: Traffic
    compute: Compute
    backends: Backends
    probes: Probes
    journal: Journal
    alarms: Alarms | None = None


class Clock(Protocol):
    """The time of day, and waiting for it to pass."""

    def now(self) -> float:
        """Return seconds since 1970."""

    async def sleep(self, seconds: float) -> None:
        """Return after this time."""


class SystemClock:
    """Counts from the time of day at which the process began.

    So setting the machine's clock ends neither a timeout nor a lease.
    """

    def now(self) -> float:
        """Return seconds since 1970."""
        return read_time()

    async def sleep(self, seconds: float) -> None:
        """Return after this time."""
        await asyncio.sleep(seconds)


async def observe(environment: Environment) -> Observation:
    """Return what all ports report now; raises `EnvironmentFault` unless all could be read."""
    traffic, compute, backends = environment.traffic, environment.compute, environment.backends
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            weights, health, samples, slots, statuses, alarms = await asyncio.gather(
                traffic.verify_weights(),
                traffic.observe_health(),
                traffic.observe_traffic(),
                compute.observe_slots(),
                _observe_backends(backends),
                _observe_alarms(environment.alarms),
            )
    except TimeoutError as fault:
        raise EnvironmentFault(f"no answer within {LOOK_SECONDS:g} s") from fault
    judged = {c: replace(slots[c], healthy=health.get(c, False)) for c in COLOURS}
    return Observation(judged, weights, samples, statuses, alarms)


async def _observe_backends(backends: Backends) -> Mapping[Colour, BackendStatus | None]:
    blue, green = await asyncio.gather(backends.status("blue"), backends.status("green"))
    return {"blue": blue, "green": green}


async def _observe_alarms(alarms: Alarms | None) -> frozenset[FiringAlarm]:
    return await alarms.observe_firing() if alarms else frozenset()
