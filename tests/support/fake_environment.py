"""A simulated environment: two slots, a balancer and clients, on a clock of its own.

It carries actions out with delays, fails on demand, and records every breach of what must
never happen. `World` is pure; the fake ports and the clock only call it. The contract suite
(tests/contract) runs over it as over the real environments.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    FiringAlarm,
    Formats,
    MigrationStatus,
    Observation,
    ProbeTally,
    Proof,
    Release,
    SlotState,
    TrafficSample,
    Weights,
    other,
)

V1 = Release("v1")
V2 = Release("v2")


@dataclass
class Slot:
    """One colour and the clients on it."""

    release: Release | None = None
    alive: bool = False
    healthy_at: float = 0.0
    ready: bool = True
    """False: Redis does not answer it, so it fails the balancer's check and says why."""
    answers: bool = True
    restarts: int = 0
    last_exit: str | None = None
    side_programs_down: tuple[str, ...] = ()
    start_fault: str | None = None
    log: list[str] = field(default_factory=list)
    clients: int = 0
    stubborn: int = 0
    """People who never move by themselves."""
    moving_to: Colour | None = None
    share_pct: float = 100.0
    rate_per_second: float = 0.0
    whole: int = 0
    """The clients that a share is one of."""
    told: int = 0
    closed_at: float = 0.0
    requests: int = 0
    errors: int = 0
    error_share: float = 0.0
    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=lambda: {"0.005": 0, "+Inf": 0})
    probed: ProbeTally = field(
        default_factory=lambda: ProbeTally({"entries": 4, "messages": 8, "turned_away": 0})
    )
    targets: tuple[int, int] | None = None
    """How many of its machines are healthy, and how many there are; None: they are not counted."""
    formats: Formats | None = None
    protocol: int | None = None
    proof: Proof = field(default_factory=lambda: Proof(True, 3, 3))
    orphan: tuple[float, Release | None] | None = None
    """A start that outlived its engine: when it ends, and what is on the slot then."""


class World:
    """The truth, which the engine only sees through its ports."""

    def __init__(self, clients: int = 50) -> None:
        self.now = 1_000_000.0
        self.slots: dict[Colour, Slot] = {"blue": Slot(), "green": Slot()}
        self.slots["blue"] = Slot(V1, alive=True, clients=clients)
        self.weights = Weights(100, 0)
        self.boot_seconds = 1.0
        self.alarms: frozenset[FiringAlarm] = frozenset()
        self.weights_stick = False
        """The balancer takes no weights."""
        self.lingers = False
        """A program that is stopped takes its time, and no longer answers."""
        self.cannot_start: set[str] = set()
        """Labels of releases whose program dies as soon as it is started."""
        self.candidate_faults: dict[str, object] = {}
        """What a freshly started program is like, by attribute of Slot."""
        self.unread: set[str] = set()
        """What looks cannot read: `weights`, or a colour's admin port."""
        self.broken: set[str] = set()
        """Methods of the ports that raise `EnvironmentFault`."""
        self.slow: dict[str, float] = {}
        """Seconds that methods of the ports take."""
        self.sources: dict[str, str] = {}
        """What each source holds now, by the content's id."""
        self.acts: list[str] = []
        self._credit: dict[Colour, int] = dict.fromkeys(COLOURS, 0)
        self.cut: list[tuple[Colour, int]] = []
        """People who were on a colour when it was stopped."""

    def tick(self, seconds: float) -> None:
        """Let time pass: new clients connect by the weights, sessions move."""
        self.now += seconds
        for colour in COLOURS:
            self._end_orphan(colour)
        for colour in COLOURS:
            self._serve(colour, seconds)
        for colour in COLOURS:
            self._move(colour)

    def _end_orphan(self, colour: Colour) -> None:
        orphan = self.slots[colour].orphan
        if orphan is not None and self.now >= orphan[0]:
            self.slots[colour] = Slot()
            if orphan[1] is not None:
                self.start(colour, orphan[1])

    def is_well(self, colour: Colour) -> bool:
        """True if a colour serves."""
        return self.is_up(colour) and self.slots[colour].ready

    def passes_check(self, colour: Colour) -> bool:
        """True if the balancer finds all machines of a colour healthy."""
        healthy, wanted = self.slots[colour].targets or (1, 1)
        return self.is_well(colour) and healthy >= wanted

    def is_up(self, colour: Colour) -> bool:
        """True if a colour's program runs and answers, ready or not."""
        slot = self.slots[colour]
        return slot.alive and self.now >= slot.healthy_at

    def answers(self, colour: Colour) -> bool:
        """True if the admin port of a colour answers."""
        release = self.slots[colour].release
        speaks = release is not None and release.can_move_clients
        return speaks and self.is_up(colour) and self.slots[colour].answers

    def connect(self, count: int) -> None:
        """Open new connections; each goes by weight, and to a colour that serves."""
        for _ in range(count):
            for colour in COLOURS:  # smooth weighted round robin, as balancers do it
                self._credit[colour] += self.weights.of(colour)
            chosen = max(COLOURS, key=lambda colour: self._credit[colour])
            self._credit[chosen] -= 100
            if not self.is_well(chosen) and self.is_well(other(chosen)):
                chosen = other(chosen)
            self.slots[chosen].clients += self.is_well(chosen)
            self.slots[chosen].requests += 1

    def kill(self, colour: Colour, *, restart: bool = False) -> None:
        """Let a colour's program die; its clients reconnect elsewhere."""
        slot = self.slots[colour]
        clients, slot.clients, slot.moving_to = slot.clients, 0, None
        slot.alive = restart and slot.release is not None
        slot.restarts += restart
        slot.last_exit = "exit code 3"
        slot.healthy_at = self.now + self.boot_seconds
        if self.is_well(other(colour)):
            self.slots[other(colour)].clients += clients

    def observe(self) -> Observation:
        """Return all that the ports would show, without faults."""
        return Observation(
            {c: self.see_slot(c, self.passes_check(c)) for c in COLOURS},
            self.see_weights(),
            self.see_traffic(),
            {c: self.see_backend(c) for c in COLOURS},
            self.alarms,
        )

    def see_weights(self) -> Weights | None:
        """Return the weights that the balancer shows."""
        return None if "weights" in self.unread else self.weights

    def see_slot(self, colour: Colour, healthy: bool = False) -> SlotState:
        """Return what a slot shows."""
        slot = self.slots[colour]
        seen = SlotState(slot.release, slot.alive, healthy, slot.restarts, slot.last_exit)
        changing = slot.orphan is not None
        return replace(
            seen,
            side_programs_down=slot.side_programs_down,
            changing=changing,
            start_fault=slot.start_fault,
        )

    def see_traffic(self) -> Mapping[Colour, TrafficSample]:
        """Return the balancer's counters."""
        return {
            c: replace(
                TrafficSample(s.clients, s.requests, s.requests, s.errors),
                healthy_targets=s.targets[0] if s.targets and self.is_well(c) else 0,
                targets=s.targets[1] if s.targets else 0,
            )
            for c, s in self.slots.items()
        }

    def see_backend(self, colour: Colour) -> BackendStatus | None:
        """Return what a backend reports; None if it does not answer."""
        slot = self.slots[colour]
        if slot.release is None or not self.answers(colour) or colour in self.unread:
            return None
        status = None
        if slot.moving_to:
            left = slot.clients - self._staying(slot)
            pace = (slot.rate_per_second, slot.share_pct)
            status = MigrationStatus(
                slot.moving_to, slot.told, slot.told, 0, left, left == 0, *pace
            )
        return BackendStatus(
            slot.release.label,
            slot.ready,
            False,
            slot.clients,
            slot.clients // 5,
            dict(slot.counters),
            dict(slot.gauges),
            status,
            None if slot.ready else "Redis does not answer",
            slot.formats,
            {"gap_seconds": dict(slot.gaps)},
            protocol=slot.protocol,
        )

    def start(self, colour: Colour, release: Release) -> None:
        """Start a program on a slot."""
        if self.slots[colour].release == release:
            return
        slot = Slot(release, alive=True, healthy_at=self.now + self.boot_seconds)
        slot.log = [f"{release.label} starts"]
        if release.label in self.cannot_start:
            slot.alive, slot.restarts = False, 1
            slot.last_exit = "exit code 3: cannot start"
            slot.log.append("cannot start")
        for name, value in self.candidate_faults.items():
            setattr(slot, name, value)
        self.slots[colour] = slot

    def stop(self, colour: Colour) -> None:
        """Empty a slot; its clients reconnect by the weights."""
        clients = self.slots[colour].clients
        if self.slots[colour].alive and self.weights.of(colour) > 0:
            raise AssertionError(f"{colour} was stopped with {self.weights} in force")
        if self.lingers:
            self.slots[colour].answers = False
            return
        if clients:
            self.cut.append((colour, clients))
        orphan = self.slots[colour].orphan  # it is waited for, and what it made is removed
        self.slots[colour] = Slot(orphan=(orphan[0], None) if orphan else None)
        if self.is_well(other(colour)):
            self.slots[other(colour)].clients += clients

    def migrate(self, colour: Colour, to: Colour, within: float, rate: float, share: float) -> None:
        """Ask a share of the clients of a colour to move."""
        slot = self.slots[colour]
        if slot.moving_to != to:
            slot.told, slot.closed_at = 0, self.now + within
        slot.moving_to = to
        slot.whole = max(slot.whole, slot.clients)
        slot.rate_per_second, slot.share_pct = rate, share

    def _staying(self, slot: Slot) -> int:
        """Return the clients that are not asked to leave, or do not leave when asked."""
        if slot.share_pct == 100:
            return 0
        outside = slot.whole - int(slot.whole * slot.share_pct / 100)
        return min(slot.clients, max(outside, slot.stubborn))

    def _serve(self, colour: Colour, seconds: float) -> None:
        slot = self.slots[colour]
        if not self.is_well(colour):
            return
        fresh = int(self.weights.of(colour) * seconds * 4) + (self.weights.of(colour) > 0)
        slot.requests += fresh
        slot.errors += round(fresh * slot.error_share)

    def _move(self, colour: Colour) -> None:
        slot = self.slots[colour]
        if slot.moving_to is None or not self.is_well(colour) or not self.is_well(slot.moving_to):
            return
        leaving = max(0, min(slot.clients - max(slot.stubborn, self._staying(slot)), 20))
        slot.clients -= leaving
        slot.told += leaving
        other_slot = self.slots[slot.moving_to]
        other_slot.clients += leaving
        for bound in other_slot.gaps:  # no client that moves is without a connection
            other_slot.gaps[bound] += leaving


class FakePorts:
    """Traffic, Compute and Backends over one `World`."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def _call(self, method: str) -> None:
        if method in self.world.broken:
            raise EnvironmentFault(f"{method} is broken")
        until = self.world.now + self.world.slow.get(method, 0.0)
        while self.world.now < until:  # noqa: ASYNC110 - the clock is the world's
            await asyncio.sleep(0)

    async def _act(self, method: str, *values: object) -> None:
        await self._call(method)
        self.world.acts.append(" ".join(map(str, (method, *values))))

    def _require_answer(self, colour: Colour) -> None:
        if not self.world.answers(colour):
            raise EnvironmentFault(f"{colour} does not answer on its admin port")

    async def apply_weights(self, weights: Weights) -> None:
        await self._act("apply_weights", weights)
        if not self.world.weights_stick:
            self.world.weights = weights

    async def verify_weights(self) -> Weights | None:
        await self._call("verify_weights")
        return self.world.see_weights()

    async def observe_health(self) -> Mapping[Colour, bool]:
        await self._call("observe_health")
        return {c: self.world.passes_check(c) for c in COLOURS}

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        await self._call("observe_traffic")
        return self.world.see_traffic()

    async def resolve(self, release: Release) -> Release:
        if release.source is None or release.content is not None:
            return release
        return replace(release, content=self.world.sources[release.source])

    async def prepare(self, release: Release) -> None:
        await self._act("prepare", release.label)

    async def start(self, colour: Colour, release: Release) -> None:
        await self._act("start", colour, release.label)
        self.world.start(colour, release)

    async def stop(self, colour: Colour) -> None:
        await self._act("stop", colour)
        self.world.stop(colour)
        await self._act("tidy", colour)

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        await self._call("observe_slots")
        return {c: self.world.see_slot(c) for c in COLOURS}

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        return self.world.slots[colour].log[-lines:] if lines > 0 else []

    async def status(self, colour: Colour) -> BackendStatus | None:
        await self._call("status")
        return self.world.see_backend(colour)

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        await self._act("prove", colour)
        if not self.world.answers(colour):
            return Proof(redis=False, sampled=0, readable=0, fault=f"{colour} does not answer")
        return self.world.slots[colour].proof

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        await self._call("send")
        return self.world.slots[colour].probed

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
        await self._act("migrate", colour, to)
        self._require_answer(colour)
        self.world.migrate(colour, to, within_seconds, rate_per_second, share_pct)

    async def cancel_migration(self, colour: Colour) -> None:
        await self._act("cancel_migration", colour)
        self._require_answer(colour)
        self.world.slots[colour].moving_to = None
