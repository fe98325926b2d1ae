"""A rollout in a region that stands by: it has no users, and its programs only read.

The rollout is the usual one, over ports that judge a slot by what a standby can show: loaded,
replication up, real sessions readable. There is no canary, as nothing could be seen of one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from isshoni.engine.environment import Environment
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    ProbeTally,
    Proof,
    Release,
    TrafficSample,
    Weights,
)
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.ports import Backends, Traffic

_AT_ONCE = {
    "weights": (100,),
    "bake_seconds": 0.0,
    "require_traffic": False,
    "keep_stable_seconds": 0.0,
}


def plan_standby(plan: RolloutPlan) -> RolloutPlan:
    """Return the plan of a rollout in a standby: at once, without a canary."""
    return plan.model_copy(update=_AT_ONCE)


def stand_by(environment: Environment) -> Environment:
    """Return the ports by which a rollout in a standby is judged.

    Alarms are left out: they watch users, and a standby has none.
    """
    backends = StandbyBackends(environment.backends)
    return replace(
        environment,
        traffic=StandbyTraffic(environment.traffic, backends),
        backends=backends,
        probes=NoProbes(),
        alarms=None,
    )


class StandbyBackends:
    """`Backends` whose readiness is that of a standby."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return a backend's status, ready if it could serve after a failover."""
        status = await self._backends.status(colour)
        if status is None:
            return None
        ready = bool(status.standby_ready)
        reason = None if ready else _explain(status)
        processes = tuple(replace(each, ready=ready, reason=reason) for each in status.processes)
        return replace(
            status,
            ready=ready,
            not_ready_reason=reason,
            limit=None,
            counters={},  # those of clients that tried this address first
            histograms={},
            processes=processes,
        )

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Ask a backend to prove that it reads real sessions; a standby writes nothing."""
        return await self._backends.prove(colour, session_ids)

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        """Start moving the connections that an earlier failover left behind."""
        await self._backends.migrate(
            colour,
            to,
            rate_per_second=rate_per_second,
            within_seconds=within_seconds,
            share_pct=share_pct,
            close_over_seconds=close_over_seconds,
        )

    async def cancel_migration(self, colour: Colour) -> None:
        """Stop moving sessions away from `colour`. Idempotent."""
        await self._backends.cancel_migration(colour)


def _explain(status: BackendStatus) -> str:
    if status.standby_ready is None:
        return f"{status.version} knows nothing of regions: deploy a newer version"
    return status.standby_reason or "it is not ready as a standby"


class StandbyTraffic:
    """`Traffic` of a standby: its balancer lets no user in, so its health check says nothing."""

    def __init__(self, traffic: Traffic, backends: StandbyBackends) -> None:
        self._traffic = traffic
        self._backends = backends

    async def apply_weights(self, weights: Weights) -> None:
        """Ask for `weights`: they count once the region serves. Idempotent."""
        await self._traffic.apply_weights(weights)

    async def verify_weights(self) -> Weights | None:
        """Return the weights that the balancer itself reports; None if it reports none."""
        return await self._traffic.verify_weights()

    async def observe_health(self) -> Mapping[Colour, bool]:
        """Return which colours are ready as a standby."""
        found = await asyncio.gather(*(self._backends.status(colour) for colour in COLOURS))
        return {
            colour: status is not None and status.ready
            for colour, status in zip(COLOURS, found, strict=True)
        }

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        """Return each colour's connections, without counts of targets: none is healthy here."""
        found = await self._traffic.observe_traffic()
        return {
            colour: TrafficSample(open_connections=sample.open_connections)
            for colour, sample in found.items()
        }


class NoProbes:
    """Sends no synthetic users: a standby lets none in."""

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Return an empty tally."""
        return ProbeTally()
