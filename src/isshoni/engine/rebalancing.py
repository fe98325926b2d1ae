"""Even out the processes of a slot: sessions move from the fullest to the emptiest."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from isshoni.engine.operations import Engine, hold_lease
from isshoni.engine.processes import (
    LOOK_SECONDS,
    KeptLease,
    OnMove,
    PacedMove,
    Processes,
    describe,
    ignore_move,
    mark_and_verify,
    refuse_during_rollout,
)
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, ProcessStatus
from isshoni.rollout.plan import RolloutPlan

BALANCED_PCT = 10.0
SHARE_PCT = 99.0
"""At 100 % clients that cannot move would be closed, for no good reason."""
LEAST_RATE = 2.0
STALL_SECONDS = 10.0
"""How long no process may come nearer to the average before the rest is left as it is."""


@dataclass(frozen=True)
class Rebalance:
    """The result of a rebalance."""

    included: tuple[str, ...]
    """Processes that were evacuated, and get new connections again."""
    connections: dict[str, int]
    imbalance_pct: float
    """How much the fullest process is above the average."""
    seconds: float

    @property
    def is_balanced(self) -> bool:
        """True if it is as even as was asked for."""
        return self.imbalance_pct <= BALANCED_PCT


def measure_imbalance(statuses: Sequence[ProcessStatus]) -> float:
    """Return by how many percent the fullest process is above the average."""
    counts = [status.connections for status in statuses]
    mean = sum(counts) / len(counts) if counts else 0.0
    return 100.0 * (max(counts) - mean) / mean if mean else 0.0


async def rebalance(
    engine: Engine,
    processes: Processes,
    colour: Colour,
    plan: RolloutPlan,
    on_move: OnMove = ignore_move,
) -> Rebalance:
    """Include evacuated processes, and move sessions until none has much more than the average.

    It ends early if nothing comes nearer to the average: sessions move as a whole, and clients
    that cannot move stay. Raises `LeaseHeld`, `NothingToDo` (a rollout runs) and
    `EnvironmentFault`; then no more sessions are asked to move.
    """
    with hold_lease(engine, f"rebalance {colour}") as lease:
        refuse_during_rollout(engine)
        began = engine.clock.now()
        evacuated = tuple(s.name for s in await processes.observe(colour) if s.evacuated)
        await mark_and_verify(processes, engine.clock, evacuated, evacuated=False)
        kept = KeptLease(engine.environment.journal, engine.clock, lease)
        turn = _FullestMove(engine, processes, colour, plan, on_move)
        try:
            while await turn.step():
                kept.renew()
                await engine.clock.sleep(LOOK_SECONDS)
        finally:
            await turn.end()
        counts = {status.name: status.connections for status in turn.seen}
        imbalance, seconds = measure_imbalance(turn.seen), engine.clock.now() - began
        return Rebalance(evacuated, counts, round(imbalance, 1), seconds)


@dataclass
class _FullestMove:
    """Moves sessions from the process that is the fullest at the time to the emptiest one."""

    engine: Engine
    processes: Processes
    colour: Colour
    plan: RolloutPlan
    on_move: OnMove
    seen: list[ProcessStatus] = field(default_factory=list)
    _move: PacedMove | None = None
    _to: str = ""
    _best_pct: float = float("inf")
    _better_at: float = 0.0

    async def step(self) -> bool:
        """Observe all processes and send one order at most; return False once it is over."""
        found = [s for s in await self.processes.observe(self.colour) if s.ready]
        self.seen = found or self.seen
        now, imbalance = self.engine.clock.now(), measure_imbalance(found)
        if imbalance < self._best_pct:
            self._best_pct, self._better_at = imbalance, now
        over = now - self._better_at > STALL_SECONDS + self.plan.migrate_within_seconds
        mine = self._find_mine()
        if imbalance <= BALANCED_PCT or len(found) < 2 or over:
            return False
        if mine is None or self._has_given(mine):
            await self.end()
            mine = self._begin()
        if self._move is not None:
            # Slower towards the end: what is ordered between two looks is not too much.
            self._move.ceiling = max(LEAST_RATE, self._find_excess(mine))
            taker = [status for status in found if status.name == self._to]
            await self._move.step(mine, taker, self._to, SHARE_PCT)
            self.on_move(describe(mine, self._move.rate))
        return True

    def _find_mine(self) -> ProcessStatus | None:
        name = self._move.name if self._move else None
        return next((status for status in self.seen if status.name == name), None)

    def _has_given(self, mine: ProcessStatus) -> bool:
        """True if the process, or the one that takes its sessions, is at the average."""
        return self._find_excess(mine) < 1.0

    def _find_excess(self, mine: ProcessStatus) -> float:
        """Return how many connections should still move."""
        mean = sum(status.connections for status in self.seen) / len(self.seen)
        taken = next((s.connections for s in self.seen if s.name == self._to), mean)
        return min(mine.connections - mean, mean - taken)

    def _begin(self) -> ProcessStatus:
        fullest = max(self.seen, key=lambda status: status.connections)
        self._to = min(self.seen, key=lambda status: status.connections).name
        self._move = PacedMove(self.processes, self.engine.clock, self.plan, fullest.name)
        return fullest

    async def end(self) -> None:
        """Cancel the order that is left."""
        if self._move is not None:
            # No session moves while no command watches the pace.
            with suppress(EnvironmentFault):
                await self.processes.cancel(self._move.name)
            self._move = None
