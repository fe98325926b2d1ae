"""Two regions in memory, with the rules of the real ones, and faults on request."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

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
from isshoni.rollout.failover.model import Lag, ProcessSeen, RegionRecord, RegionSeen

Role = Literal["master", "slave"]


@dataclass
class FakeRegion:
    """One region: its Redis and the processes of its live slot."""

    name: str
    record: RegionRecord
    follows: str | None = None
    is_dead: bool = False
    is_blocked: bool = False
    processes: int = 1
    connections: int = 10
    release: str = "v1"
    in_flight: int = 0
    stamp: int = 0
    redis_alive: bool = True
    public_down: bool = False
    standby_reason: str | None = None


@dataclass
class FakeRegions:
    """Implements the port `Regions`; what is copied, moved and broken is up to the test."""

    east: FakeRegion = field(default_factory=lambda: FakeRegion("east", RegionRecord(1, "east")))
    west: FakeRegion = field(
        default_factory=lambda: FakeRegion(
            "west", RegionRecord(1, "east"), follows="east", connections=0
        )
    )
    switched_to: str | None = "east"
    broken: dict[type[Action], str] = field(default_factory=dict)
    """Actions that fail, and why."""
    performed: list[Action] = field(default_factory=list)
    lagging: bool = False
    """True while nothing is copied to replicas."""
    moves_per_order: int = 100
    writers_seen: list[set[str]] = field(default_factory=list)
    on_action: Callable[[Action], None] = lambda action: None

    def region(self, name: str) -> FakeRegion:
        """Return a region by its name."""
        return {"east": self.east, "west": self.west}[name]

    async def observe(self, region: str) -> RegionSeen:
        """Return what a region reports now."""
        self._replicate()
        self._note_writers()
        its = self.region(region)
        if its.is_dead or its.is_blocked:
            names = () if its.is_blocked else tuple(self._names(its))
            return RegionSeen(region, silent=names, is_blocked=its.is_blocked)
        leader = self.region(its.follows) if its.follows else None
        up = leader is not None and not leader.is_dead and not leader.is_blocked
        serves = its.record.writer == region
        standby = bool(its.follows) and its.standby_reason is None
        seen = ProcessSeen(
            "",
            its.record,
            ready=serves,
            standby_ready=standby and not serves,
            reason=its.standby_reason,
            in_flight=its.in_flight,
            lag=Lag("up" if up else "down", 0, 0.0) if its.follows else None,
            stamp=its.stamp,
        )
        processes = [replace(seen, name=name) for name in self._names(its)]
        processes[0] = replace(processes[0], connections=its.connections)
        role: Role | None = None if not its.redis_alive else ("slave" if its.follows else "master")
        return RegionSeen(
            region,
            tuple(processes),
            release=its.release,
            redis_role=role,
            redis_link="up" if up else "",
            public=serves and not its.public_down,
        )

    async def find_switched(self) -> str | None:
        """Return the region that new users are sent to."""
        return self.switched_to

    async def perform(self, action: Action) -> None:
        """Do an action, unless it is broken."""
        self.performed.append(action)
        self.on_action(action)
        if (why := self.broken.get(type(action))) is not None:
            raise EnvironmentFault(why)
        match action:
            case WriteRecord(region, record):
                self._write(self.region(region), record)
            case Block(region):
                self.region(region).is_blocked = True
            case Promote(region):
                self.region(region).follows = None
            case Follow(region, leader):
                self._follow(self.region(region), leader)
            case Switch(to):
                self.switched_to = to
            case Move(region, to):
                self._move(self.region(region), self.region(to))

    def _write(self, region: FakeRegion, record: RegionRecord) -> None:
        if region.is_dead or region.is_blocked:
            raise EnvironmentFault(f"{region.name} does not answer")
        if region.follows:
            raise EnvironmentFault("409 redis is a replica")
        if record.term < region.record.term or (
            record.term == region.record.term and record != region.record
        ):
            raise EnvironmentFault(f"409 term {region.record.term}")
        region.record, region.stamp = record, 0 if record.writer else region.processes

    def _follow(self, region: FakeRegion, leader: str) -> None:
        if region.is_dead:
            raise EnvironmentFault(f"the Redis of {region.name} does not answer")
        region.follows = leader

    def _move(self, source: FakeRegion, target: FakeRegion) -> None:
        moved = min(self.moves_per_order, source.connections)
        source.connections -= moved
        target.connections += moved

    def _replicate(self) -> None:
        for region in (self.east, self.west):
            leader = self.region(region.follows) if region.follows else None
            if leader and not leader.is_dead and not leader.is_blocked and not self.lagging:
                region.record, region.stamp = leader.record, leader.stamp

    def _note_writers(self) -> None:
        self.writers_seen.append(
            {
                region.name
                for region in (self.east, self.west)
                if region.record.writer == region.name
                and not region.is_dead
                and not region.is_blocked
            }
        )

    def _names(self, region: FakeRegion) -> list[str]:
        return [f"blue-{number}" for number in range(region.processes)]
