"""An environment in memory: the fakes of Traffic, Compute and Backends over one world.

The world obeys the ports' contract (tests/contract) and has knobs for what goes wrong:
`break_calls`, `weights_stick`, `Behaviour` per release label, `crash`, `wedge`.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    MigrationStatus,
    Proof,
    Release,
    SlotState,
    TrafficSample,
    Weights,
    other,
)


@dataclass(frozen=True)
class Behaviour:
    """How the programs of one release behave."""

    healthy: bool = True
    dies_at_start: bool = False
    proof: Proof = field(default_factory=lambda: Proof(redis=True, sampled=3, readable=3))
    errors_5xx_per_connection: int = 0
    refuses: bool = False
    """Connections sent to it fail, though its health check passes."""
    redis_errors_per_look: int = 0
    gauges: Mapping[str, float] = field(default_factory=dict)
    moves_per_look: int = 10
    """Connections that move away at each look at its status while it migrates."""
    stragglers: int = 0
    """Connections that do not move by themselves; they are closed, and come back, last."""


@dataclass
class FakeSlot:
    """One colour of the world."""

    release: Release | None = None
    running: bool = False
    healthy: bool = False
    restarts: int = 0
    last_exit: str | None = None
    log: list[str] = field(default_factory=list)
    connections: int = 0
    traffic: TrafficSample = field(default_factory=TrafficSample)
    counters: Counter[str] = field(default_factory=Counter)
    migration: MigrationStatus | None = None
    staying: int = 0
    """Connections outside the share that moves."""


class FakeEnvironment:
    """Two slots and a balancer; `traffic`, `compute` and `backends` are the ports."""

    def __init__(self, weights: Weights | None = None) -> None:
        self.slots: dict[Colour, FakeSlot] = {colour: FakeSlot() for colour in COLOURS}
        self.weights: Weights | None = weights or Weights(100, 0)
        self.weights_stick = True
        """False: the balancer says yes to new weights and keeps the old ones."""
        self.behaviours: dict[str, Behaviour] = {}
        self.calls: list[str] = []
        """The ports' changing calls, in order, in words."""
        self._faults: dict[str, tuple[int, str]] = {}
        self._credit: dict[Colour, int] = dict.fromkeys(COLOURS, 0)
        self.traffic = FakeTraffic(self)
        self.compute = FakeCompute(self)
        self.backends = FakeBackends(self)

    def behave(self, label: str, behaviour: Behaviour) -> None:
        """Make every program of the release `label` behave so from now on."""
        self.behaviours[label] = behaviour
        for colour, slot in self.slots.items():
            if slot.release and slot.release.label == label and slot.running:
                slot.healthy = self.behaviour_of(colour).healthy

    def behaviour_of(self, colour: Colour) -> Behaviour:
        """Give the behaviour of what runs on `colour`."""
        release = self.slots[colour].release
        return self.behaviours.get(release.label, Behaviour()) if release else Behaviour()

    def break_calls(self, method: str, *, times: int = 1, message: str = "it broke") -> None:
        """Make the next calls of a port's method raise `EnvironmentFault`."""
        self._faults[method] = (times, message)

    def mend_calls(self, method: str) -> None:
        """Take `break_calls` back."""
        self._faults.pop(method, None)

    def meet_fault(self, method: str) -> None:
        """Raise what `break_calls` ordered; the fakes call it first."""
        times, message = self._faults.get(method, (0, ""))
        if times > 0:
            self._faults[method] = (times - 1, message)
            raise EnvironmentFault(f"{method}: {message}")

    def crash(self, colour: Colour, last_words: str = "signal 9") -> None:
        """Kill a slot's program; it is started again, and its connections are elsewhere."""
        slot = self.slots[colour]
        lost, slot.connections = slot.connections, 0
        slot.restarts += 1
        slot.last_exit = last_words
        slot.healthy = False
        slot.migration = None
        slot.counters.clear()
        self.connect(lost)
        slot.healthy = self.behaviour_of(colour).healthy

    def wedge(self, colour: Colour) -> None:
        """Make a slot's program run but fail its health check."""
        self.slots[colour].healthy = False

    def connect(self, count: int = 1) -> None:
        """Open new client connections; each goes by weight, and to a healthy colour."""
        for _ in range(count):
            self._connect_to(self._choose_colour())

    def _choose_colour(self) -> Colour:
        weights = self.weights or Weights(100, 0)
        for colour in COLOURS:  # smooth weighted round robin, as balancers do it
            self._credit[colour] += weights.of(colour)
        chosen = max(COLOURS, key=lambda colour: self._credit[colour])
        self._credit[chosen] -= 100
        if not self.slots[chosen].healthy and self.slots[other(chosen)].healthy:
            return other(chosen)
        return chosen

    def _connect_to(self, colour: Colour) -> None:
        slot, behaviour = self.slots[colour], self.behaviour_of(colour)
        refused = behaviour.refuses or not slot.healthy
        sample = slot.traffic
        slot.traffic = dataclasses.replace(
            sample,
            requests=sample.requests + 1,
            upgrades=sample.upgrades + (not refused),
            refused=sample.refused + refused,
            errors_5xx=sample.errors_5xx + behaviour.errors_5xx_per_connection,
        )
        slot.connections += not refused
        slot.counters["connections_opened"] += not refused
        slot.counters["restores"] += not refused

    def move_some(self, colour: Colour) -> None:
        """Take one step of the move that `colour` is in."""
        slot, status = self.slots[colour], self.slots[colour].migration
        if status is None or status.done:
            return
        behaviour = self.behaviour_of(colour)
        willing = max(0, slot.connections - slot.staying - behaviour.stragglers)
        moved = min(willing, behaviour.moves_per_look)
        closed = slot.connections - slot.staying if willing == 0 else 0
        slot.connections -= moved + closed
        slot.counters["migrated"] += moved
        slot.counters["stragglers"] += closed
        slot.migration = dataclasses.replace(
            status,
            told=status.told + moved + closed,
            moved=status.moved + moved,
            closed=status.closed + closed,
            remaining=slot.connections - slot.staying,
            done=slot.connections == slot.staying,
        )
        for _ in range(moved):
            self._connect_to(status.to)
        self.connect(closed)


class FakeTraffic:
    """`Traffic` over a `FakeEnvironment`."""

    def __init__(self, world: FakeEnvironment) -> None:
        self._world = world

    async def apply_weights(self, weights: Weights) -> None:
        self._world.meet_fault("apply_weights")
        self._world.calls.append(f"apply {weights}")
        if self._world.weights_stick:
            self._world.weights = weights

    async def verify_weights(self) -> Weights | None:
        self._world.meet_fault("verify_weights")
        return self._world.weights

    async def observe_health(self) -> Mapping[Colour, bool]:
        self._world.meet_fault("observe_health")
        return {colour: slot.healthy for colour, slot in self._world.slots.items()}

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        self._world.meet_fault("observe_traffic")
        return {
            colour: dataclasses.replace(slot.traffic, open_connections=slot.connections)
            for colour, slot in self._world.slots.items()
        }


class FakeCompute:
    """`Compute` over a `FakeEnvironment`."""

    def __init__(self, world: FakeEnvironment) -> None:
        self._world = world

    async def resolve(self, release: Release) -> Release:
        self._world.meet_fault("resolve")
        return release

    async def prepare(self, release: Release) -> None:
        self._world.meet_fault("prepare")
        self._world.calls.append(f"prepare {release.label}")

    async def start(self, colour: Colour, release: Release) -> None:
        self._world.meet_fault("start")
        self._world.calls.append(f"start {colour} {release.label}")
        if self._world.slots[colour].release == release:
            return
        traffic = self._world.slots[colour].traffic
        slot = FakeSlot(release=release, traffic=traffic, log=[f"{release.label} starts"])
        self._world.slots[colour] = slot
        behaviour = self._world.behaviour_of(colour)
        if behaviour.dies_at_start:
            slot.restarts, slot.last_exit = 1, "exit code 3: cannot start"
            slot.log.append("cannot start")
            return
        slot.running = True
        slot.healthy = behaviour.healthy

    async def stop(self, colour: Colour) -> None:
        self._world.meet_fault("stop")
        self._world.calls.append(f"stop {colour}")
        lost = self._world.slots[colour].connections
        traffic = self._world.slots[colour].traffic
        self._world.slots[colour] = FakeSlot(traffic=traffic)
        self._world.connect(lost)

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        self._world.meet_fault("observe_slots")
        return {
            colour: SlotState(
                release=slot.release,
                running=slot.running,
                restarts=slot.restarts,
                last_exit=slot.last_exit,
            )
            for colour, slot in self._world.slots.items()
        }

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        self._world.meet_fault("tail_log")
        return self._world.slots[colour].log[-lines:] if lines > 0 else []


class FakeBackends:
    """`Backends` over a `FakeEnvironment`."""

    def __init__(self, world: FakeEnvironment) -> None:
        self._world = world

    def _answers(self, colour: Colour) -> FakeSlot | None:
        slot = self._world.slots[colour]
        speaks = slot.release is not None and slot.release.speaks_admin_api
        return slot if speaks and slot.running else None

    async def status(self, colour: Colour) -> BackendStatus | None:
        self._world.meet_fault("status")
        slot = self._answers(colour)
        if slot is None or slot.release is None:
            return None
        behaviour = self._world.behaviour_of(colour)
        self._world.move_some(colour)
        slot.counters["redis_errors"] += behaviour.redis_errors_per_look
        return BackendStatus(
            version=slot.release.label,
            ready=slot.healthy,
            draining=False,
            connections=slot.connections,
            sessions=slot.connections,
            counters=dict(slot.counters),
            gauges=dict(behaviour.gauges),
            migration=slot.migration,
            not_ready_reason=None if slot.healthy else "not healthy",
        )

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        self._world.meet_fault("prove")
        if self._answers(colour) is None:
            return Proof(redis=False, sampled=0, readable=0, fault=f"{colour} does not answer")
        return self._world.behaviour_of(colour).proof

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        self._world.meet_fault("migrate")
        self._world.calls.append(f"migrate {colour} to {to} at {rate_per_second:g}/s")
        slot = self._answers(colour)
        if slot is None:
            raise EnvironmentFault(f"{colour} does not answer on its admin port")
        if slot.migration is None or slot.migration.to != to or slot.migration.done:
            concerned = int(slot.connections * share_pct / 100)
            slot.staying = slot.connections - concerned
            slot.migration = MigrationStatus(to, 0, 0, 0, concerned, concerned == 0)
        slot.migration = dataclasses.replace(
            slot.migration, rate_per_second=rate_per_second, share_pct=share_pct
        )

    async def cancel_migration(self, colour: Colour) -> None:
        self._world.meet_fault("cancel_migration")
        self._world.calls.append(f"cancel migration of {colour}")
        slot = self._answers(colour)
        if slot is None:
            raise EnvironmentFault(f"{colour} does not answer on its admin port")
        slot.migration = None
