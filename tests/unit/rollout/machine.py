"""A machine that both colours share, simulated: its cores, queues and gauges.

A fluid model in steps of 50 ms. Each process gets at most one core; when all together want
more than there is, each gets its part. Work that is not done waits, up to a bound: clients
type no faster than they are answered. A client that is asked to move is restored by the
candidate after whatever already waits there.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from isshoni.rollout.actions import Migrate
from isshoni.rollout.model import (
    BackendStatus,
    Colour,
    MigrationStatus,
    Observation,
    Release,
    SlotState,
    Stable,
    TrafficSample,
    Weights,
)
from isshoni.rollout.moving import has_moved, keep_moving
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.revert import begin_rollback
from isshoni.rollout.state import Rollout, begin_rollout
from isshoni.rollout.weather import record_weather

STEP_SECONDS = 0.05
LOOK_SECONDS = 0.25
MOST_WAITING_SECONDS = 0.4
"""Work of clients beyond this does not come: they wait for their answers."""


@dataclass
class Process:
    """One colour's process."""

    clients: int
    cost: float
    """Seconds of CPU a second that each client needs."""
    work: float = 0.0
    """Seconds of CPU that wait to be used for clients."""
    used: deque[float] = field(default_factory=lambda: deque([0.0] * 20, maxlen=20))
    lags: deque[float] = field(default_factory=lambda: deque([1.0] * 60, maxlen=60))
    restores: deque[float] = field(default_factory=lambda: deque([0.0] * 60, maxlen=60))
    redis: deque[float] = field(default_factory=lambda: deque([1.0] * 200, maxlen=200))

    def status(self, migration: MigrationStatus | None = None) -> BackendStatus:
        """Return the status that the process reports."""
        gauges = {
            "cpu_pct": 100 * sum(self.used) / len(self.used) / STEP_SECONDS,
            "restore_ms": max(self.restores),
            "event_loop_lag_recent_ms": sorted(self.lags)[int(0.9 * len(self.lags))],
            "redis_latency_ms": max(self.redis),
        }
        return BackendStatus("v", True, False, self.clients, 1, {}, gauges, migration)


@dataclass
class Machine:
    """Two colours, and everything else that runs beside them."""

    clients: int = 2000
    cores: float = 2.0
    client_cost: float = 0.0002
    """Of stable, per client: 0.0002 is 40 % of a core for 2,000."""
    restore_cost: float = 0.001
    candidate_factor: float = 1.0
    """How many times the CPU of stable the candidate needs, for clients and restores."""
    others: Callable[[float], float] = lambda now: 0.5
    """Cores that Redis, the balancer and whatever else runs here want, at a time."""
    redis_ms: Callable[[float], float] = lambda now: 1.0
    redis_ms_per_rate: float = 0.0
    """How much slower Redis is for both colours for each client that moves a second."""
    spike_ms: Callable[[float], float] = lambda now: 0.0
    """Lag of the candidate's event loop that nothing explains."""
    now: float = 0.0
    rate: float = 0.0
    asked: float = 0.0
    queue: float = 0.0
    """Clients that wait for their restore."""
    told: int = 0
    moved: int = 0
    share_pct: float = 100.0
    """The share of the clients that the last order moves."""

    def __post_init__(self) -> None:
        self.sender = Process(self.clients, self.client_cost)
        self.receiver = Process(0, self.client_cost * self.candidate_factor)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP_SECONDS)):
            self._step()

    def _step(self) -> None:
        self.now += STEP_SECONDS
        self._ask()
        per_restore = self.restore_cost * self.candidate_factor
        pair = (self.sender, self.receiver)
        for it in pair:
            it.work += it.clients * it.cost * STEP_SECONDS
            it.work = min(it.work, MOST_WAITING_SECONDS)
        wanted = [
            min(STEP_SECONDS, self.sender.work),
            min(STEP_SECONDS, self.receiver.work + self.queue * per_restore),
        ]
        others = self.others(self.now) * STEP_SECONDS
        there_is = self.cores * STEP_SECONDS
        part = min(1.0, there_is / max(1e-9, sum(wanted) + others))
        crowding_ms = 40 * (1 / part - 1)
        got = [want * part for want in wanted]
        left = got[1]
        total = self.receiver.work + self.queue * per_restore
        for_restores = left * (self.queue * per_restore / total) if total else 0.0
        self._restore(for_restores / per_restore)
        self.sender.work -= got[0]
        self.receiver.work -= left - for_restores
        for it, used in zip(pair, got, strict=True):
            it.used.append(used)
            waits = 1000 * max(0.0, it.work - STEP_SECONDS * it.clients * it.cost)
            it.lags.append(1.0 + crowding_ms + waits / max(0.05, part))
            loaded = self.redis_ms_per_rate * self.rate
            it.redis.append(self.redis_ms(self.now) + loaded + 2 * crowding_ms)
        self.receiver.lags[-1] += self.spike_ms(self.now)
        served = max(0.05, part) / per_restore
        backlog_ms = 1000 * self.queue / served
        waits_ms = self.receiver.lags[-1] + 2 * self.receiver.redis[-1]
        self.receiver.restores.append(backlog_ms + waits_ms if self.queue else 0.0)

    def _ask(self) -> None:
        self.asked += self.rate * STEP_SECONDS
        count = min(int(self.asked), self._count_left() - round(self.queue))
        self.asked = min(self.asked - max(0, count), self.rate * 0.1 + 1)
        if count > 0:
            self.told += count
            self.queue += count

    def _count_left(self) -> int:
        """Return how many clients the last order has not moved yet."""
        return self.sender.clients - round(self.clients * (1 - self.share_pct / 100))

    def obey(self, order: Migrate) -> None:
        """Move clients as it was ordered."""
        self.rate, self.share_pct = order.rate_per_second, order.share_pct

    def _restore(self, many: float) -> None:
        before = self.queue
        self.queue = max(0.0, self.queue - many)
        whole = min(self.sender.clients, round(before) - round(self.queue))
        self.sender.clients -= whole
        self.receiver.clients += whole
        self.moved += whole

    def observe(self, leaving: Colour) -> Observation:
        """Return what the engine sees; `leaving` is the colour that the sessions leave."""
        left = self._count_left()
        migration = None
        if self.rate:
            to: Colour = "green" if leaving == "blue" else "blue"
            counts = (self.told, self.moved, 0, left, left <= 0)
            waiting = round(self.queue)
            migration = MigrationStatus(to, *counts, self.rate, self.share_pct, waiting)
        sender, receiver = self.sender.status(migration), self.receiver.status()
        pair = (sender, receiver) if leaving == "blue" else (receiver, sender)
        slots = {c: SlotState(Release("v"), True, True) for c in ("blue", "green")}
        return Observation(
            slots,  # type: ignore[arg-type]
            Weights(50, 50),
            {"blue": TrafficSample(), "green": TrafficSample()},
            {"blue": pair[0], "green": pair[1]},
        )


@dataclass(frozen=True)
class Second:
    """One second of a move."""

    rate: float
    cpu_pct: float
    """Of the colour that the sessions move to."""
    clients: int
    """Moved so far."""
    queue: float


def move(
    machine: Machine, plan: RolloutPlan, *, back: bool = False, most: int = 600
) -> list[Second]:
    """Move every client, and return what happened second by second."""
    rollout: Rollout = begin_rollout("r", Release("v2"), plan, Stable("blue", Release("v1")), 0.0)
    if not back:
        while machine.now < 5.0:
            machine.run(LOOK_SECONDS)
            rollout = record_weather(rollout, machine.observe("blue"))
    leaving: Colour = "green" if back else "blue"
    rollout = replace(rollout, restarts_before=0)
    if back:
        rollout = begin_rollback(rollout, "a test", machine.now)
        assert rollout.rollback is not None
        rollback = replace(rollout.rollback, emptying_began=machine.now)
        rollout = replace(rollout, rollback=rollback)
    seconds: list[Second] = []
    while machine.sender.clients and len(seconds) < most:
        for _ in range(round(1 / LOOK_SECONDS)):
            waiting = keep_moving(rollout, machine.observe(leaving), machine.now, leaving, 100.0)
            rollout = waiting.rollout
            for action in waiting.actions:
                if isinstance(action, Migrate):
                    machine.obey(action)
            machine.run(LOOK_SECONDS)
        cpu = machine.receiver.status().gauges["cpu_pct"]
        seconds.append(Second(machine.rate, cpu, machine.moved, machine.queue))
    return seconds


@dataclass(frozen=True)
class Share:
    """How one share of the clients moved."""

    seconds: float
    begins_with: float
    """The rate of its first second."""
    peak_cpu_pct: float
    """Of the colour that the clients move to."""


def move_shares(
    machine: Machine, plan: RolloutPlan, *, bake_seconds: float, most_seconds: float = 300.0
) -> list[Share]:
    """Move the shares of a canary one after another, each followed by a bake."""
    rollout: Rollout = begin_rollout("r", Release("v2"), plan, Stable("blue", Release("v1")), 0.0)
    while machine.now < 5.0:
        machine.run(LOOK_SECONDS)
        rollout = record_weather(rollout, machine.observe("blue"))
    rollout = replace(rollout, restarts_before=0)
    shares: list[Share] = []
    for weight in map(float, plan.weights):
        began, ended, peak, begins_with = machine.now, None, 0.0, 0.0
        rollout = replace(rollout, at=replace(rollout.at, began=began))
        while ended is None or machine.now - ended < bake_seconds:
            assert machine.now - began < most_seconds, f"{weight:g} % has not moved"
            waiting = keep_moving(rollout, machine.observe("blue"), machine.now, "blue", weight)
            rollout = waiting.rollout
            for action in waiting.actions:
                if isinstance(action, Migrate):
                    machine.obey(action)
                    begins_with = begins_with or action.rate_per_second
            machine.run(LOOK_SECONDS)
            peak = max(peak, machine.receiver.status().gauges["cpu_pct"])
            if ended is None and has_moved(rollout, machine.observe("blue")):
                ended = machine.now
        shares.append(Share(ended - began, begins_with, peak))
    return shares
