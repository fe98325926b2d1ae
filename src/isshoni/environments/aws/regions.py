"""The two regions of an environment on AWS: the port `Regions` over a Global Datastore."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from isshoni.environments.aws.errors import AwsFault, UnreachableFault
from isshoni.environments.aws.region_datastore import Datastore, GlobalDatastore
from isshoni.environments.aws.region_ingress import BalancerIngress
from isshoni.environments.aws.region_machines import Answers, RegionMachines
from isshoni.environments.aws.region_public import PublicAddress
from isshoni.environments.aws.region_switch import PublicSwitch
from isshoni.environments.progress import ReportStep
from isshoni.environments.region_api import cancel_move, send_move, send_record
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import (
    Action,
    Block,
    Follow,
    Move,
    Promote,
    Switch,
    WriteRecord,
)
from isshoni.rollout.failover.model import ProcessSeen, RegionRecord, RegionSeen
from isshoni.rollout.failover.steps import StepName
from isshoni.rollout.plan import RolloutPlan

BOUNDS: Mapping[StepName, float] = MappingProxyType(
    {
        StepName.READ: 30.0,
        StepName.PROVE_STANDBY: 60.0,
        StepName.BLOCK: 30.0,
        StepName.CATCH_UP: 15.0,
        # AWS says: typically less than a minute. To go back takes a second promotion.
        StepName.PROMOTE: 300.0,
        StepName.OPEN: 120.0,
        StepName.FOLLOW: 300.0,
        StepName.SWITCH: 60.0,
        StepName.VERIFY: 60.0,
        StepName.UNFENCE: 600.0,
        StepName.FOLLOW_AGAIN: 300.0,
    }
)
"""How long the steps may take here, where machines, ElastiCache and DNS take their time."""
Role = Literal["master", "slave"]


@dataclass(frozen=True)
class AwsRegion:
    """One region, opened."""

    name: str
    machines: RegionMachines
    ingress: BalancerIngress
    address: PublicAddress
    """The origin that leads to this region only."""


class AwsRegions:
    """Observes and changes two regions; one that was lost before is known by its name only."""

    def __init__(
        self,
        opened: Mapping[str, AwsRegion],
        lost: Mapping[str, str],
        *,
        datastore: GlobalDatastore,
        switch: PublicSwitch,
        plan: RolloutPlan,
        say: ReportStep,
    ) -> None:
        """Create it; `lost` says of each region that cannot be opened why."""
        self._regions = opened
        self._lost = dict(lost)
        self._datastore = datastore
        self._switch = switch
        self._plan = plan
        self._say = say
        self._switched_to: str | None = None

    async def aclose(self) -> None:
        """Close the connections to both regions."""
        for its in self._regions.values():
            await its.address.aclose()

    async def observe(self, region: str) -> RegionSeen:
        """Return what a region reports now; one that does not answer is a value."""
        its = self._regions.get(region)
        datastore, answers, public, closed = await asyncio.gather(
            self._read_datastore(),
            self._ask(region),
            its.address.is_open() if its else _never(),
            self._is_closed(its),
        )
        known = any(each.lag is not None and each.lag.seconds is not None for each in answers.seen)
        is_replica = datastore is not None and datastore.primary != region
        measured = None if known or not is_replica else await self._datastore.find_lag(region)
        return RegionSeen(
            region,
            answers.seen,
            answers.silent,
            answers.release,
            _find_role(region, datastore, answers.seen),
            "up" if datastore is not None and datastore.is_linked(region) else "",
            public,
            is_blocked=closed,
            fault="; ".join(answers.faults) or None,
            measured_lag=measured,
        )

    async def _read_datastore(self) -> Datastore | None:
        try:
            return await self._datastore.observe()
        except EnvironmentFault:
            return None

    async def _ask(self, region: str) -> Answers:
        its = self._regions.get(region)
        if its is None:
            return Answers(None, (), ("the region",), (self._lost[region],))
        try:
            return await its.machines.ask_all()
        except EnvironmentFault as fault:
            return Answers(None, (), ("the region",), (str(fault),))

    async def _is_closed(self, its: AwsRegion | None) -> bool:
        """True if no client reaches a region, or nothing at all does."""
        if its is None or its.name in self._lost:
            return True
        try:
            return await its.ingress.is_closed()
        except AwsFault:
            return False

    async def find_switched(self) -> str | None:
        """Return the region that new users are sent to, as it was read last; None: never."""
        with suppress(AwsFault):
            self._switched_to = await self._switch.find()
        return self._switched_to

    async def perform(self, action: Action) -> None:
        """Do an action, with a timeout. Idempotent; raises `EnvironmentFault` if it failed."""
        match action:
            case WriteRecord(region, record):
                await self._write_record(self._find(region), record)
            case Block(region):
                await self._block(region)
            case Promote(region):
                await self._datastore.promote(region)
            case Follow():
                pass  # a promotion makes the other member a secondary
            case Switch(to):
                await self._switch.turn(to)
            case Move(region, to):
                await self._move(self._find(region), to)

    def _find(self, region: str) -> AwsRegion:
        if region not in self._regions:
            raise EnvironmentFault(f"{region} does not answer: {self._lost[region]}")
        return self._regions[region]

    async def _write_record(self, its: AwsRegion, record: RegionRecord) -> None:
        if record.writer == its.name:
            await self._prepare_to_write(its)
        await its.machines.for_each(partial(send_record, record=record))

    async def _prepare_to_write(self, its: AwsRegion) -> None:
        """Make its Redis the primary, let clients in, and end a move away from it."""
        seen = await self._datastore.observe()
        if seen.primary != its.name or seen.is_changing:
            # It goes back after a promotion that was asked for: that has to be undone first.
            await self._datastore.promote(its.name)
            raise EnvironmentFault(
                f"the Global Datastore is {seen.status}: {its.name} waits for it"
            )
        if await its.ingress.is_closed():
            self._say(f"{its.name}: its load balancer lets clients in again")
            await its.ingress.open()
        # A move away from here, of an earlier failover, would send new clients away again.
        await its.machines.for_each(cancel_move)

    async def _block(self, region: str) -> None:
        """Close the load balancer of a region, if its API can be reached at all."""
        its = self._regions.get(region)
        if its is None:
            return
        try:
            await its.ingress.close()
        except UnreachableFault as fault:
            self._lost[region] = str(fault)
            self._say(f"{region} cannot be reached, so nothing of it was blocked: {fault}")
            return
        self._say(
            f"{region}: its load balancer lets no new clients in; open connections end when its "
            "Redis becomes a secondary"
        )

    async def _move(self, its: AwsRegion, to: str) -> None:
        seen = await its.machines.ask_all()
        rate = self._plan.migrate_rate_per_second / max(1, len(seen.seen))
        await its.machines.for_each(
            partial(
                send_move,
                to=to,
                address=self._find(to).address.url,
                rate_per_second=rate,
                within_seconds=self._plan.migrate_within_seconds,
            )
        )


async def _never() -> bool:
    return False


def _find_role(
    region: str, datastore: Datastore | None, processes: tuple[ProcessSeen, ...]
) -> Role | None:
    """Return what a region's Redis is: a primary only if its processes see none that follows."""
    seen = {each.redis_role for each in processes if each.redis_role is not None}
    if datastore is not None:
        is_primary = datastore.primary == region and not datastore.is_changing
        return "master" if is_primary and "slave" not in seen else "slave"
    if "slave" in seen:
        return "slave"
    return "master" if seen else None
