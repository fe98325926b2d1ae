"""The processes of a slot one by one: the port, and what moves sessions between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isshoni.engine.environment import Clock
from isshoni.engine.errors import NothingToDo
from isshoni.engine.journal import Journal
from isshoni.engine.lease import LEASE_SECONDS, Lease
from isshoni.engine.operations import Engine
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, ProcessStatus
from isshoni.rollout.pace import TURN_SECONDS, adjust_rate, start_rate
from isshoni.rollout.plan import RolloutPlan

LOOK_SECONDS = 0.25
VERIFY_SECONDS = 10.0
SILENT_SECONDS = 10.0
"""How long a process may give no answer before its move is given up."""
NOTICEABLE = 0.1
"""The relative change of the rate from which a process is sent the new one."""


class Mover(Protocol):
    """Moves sessions away from one process."""

    async def move(
        self,
        name: str,
        to: str,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        """Start moving a share of a process's sessions to a colour or process. Idempotent."""


class Processes(Mover, Protocol):
    """The processes of the slots. Every method raises `EnvironmentFault` when it cannot."""

    async def observe(self, colour: Colour) -> Sequence[ProcessStatus]:
        """Return the processes of a slot; none if it is empty."""

    def mark_evacuated(self, name: str, evacuated: bool) -> None:
        """Ask the balancer to send a process no new connections, or to send them again."""

    async def verify_evacuated(self, colour: Colour) -> frozenset[str]:
        """Return the processes that the balancer itself reports as evacuated."""

    async def cancel(self, name: str) -> None:
        """Stop moving sessions away from a process. Idempotent."""


@dataclass(frozen=True)
class MoveProgress:
    """How far a move within a slot has come."""

    process: str
    connections: int
    """That are still on the process."""
    moved: int = 0
    closed: int = 0
    rate_per_second: float = 0.0


OnMove = Callable[[MoveProgress], None]


def ignore_move(progress: MoveProgress) -> None:
    """Show nothing."""


def colour_of(name: str) -> Colour:
    """Return the colour of a process."""
    return next(colour for colour in COLOURS if name.startswith(f"{colour}-"))


def refuse_during_rollout(engine: Engine) -> None:
    """Raise `NothingToDo` if a rollout was left unfinished: it moves sessions itself."""
    latest = engine.environment.journal.read_latest()
    if latest is not None and latest.rollout.outcome == "running":
        rollout = latest.rollout
        raise NothingToDo(
            f"rollout {rollout.id} of {rollout.release.name} is not over: finish it with "
            "`isshoni deploy`, or roll it back with `isshoni rollback`, before you move sessions"
        )


async def mark_and_verify(
    processes: Processes, clock: Clock, names: Sequence[str], *, evacuated: bool
) -> None:
    """Change what the balancer sends to some processes; return once it reports the change."""
    for name in names:
        processes.mark_evacuated(name, evacuated)
    until = clock.now() + VERIFY_SECONDS
    for name in names:
        while (name in await processes.verify_evacuated(colour_of(name))) != evacuated:
            if clock.now() > until:
                what = "still sends" if evacuated else "does not send"
                raise EnvironmentFault(
                    f"the load balancer {what} new connections to {name} after "
                    f"{VERIFY_SECONDS:g} s; see `isshoni logs balancer`"
                )
            await clock.sleep(LOOK_SECONDS)


@dataclass
class KeptLease:
    """A lease that is renewed while sessions move."""

    journal: Journal
    clock: Clock
    lease: Lease

    def renew(self) -> None:
        """Prolong it; raises `LeaseLost` if another engine has taken it."""
        now = self.clock.now()
        self.lease = self.journal.renew_lease(self.lease, now=now, ttl_seconds=LEASE_SECONDS)


@dataclass
class PacedMove:
    """Orders one process to move its sessions, as fast as those that get them can take."""

    processes: Mover
    clock: Clock
    plan: RolloutPlan
    name: str
    ceiling: float = float("inf")
    """A lower ceiling of the rate than the plan's."""
    rate: float = field(init=False)
    _paced_at: float = field(init=False)
    _heard_at: float = field(init=False)
    _followed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.rate = start_rate(self.plan.migrate_rate_per_second)
        self._paced_at = self._heard_at = self._followed_at = self.clock.now()

    async def step(
        self, mine: ProcessStatus, takers: Sequence[ProcessStatus], to: str, share_pct: float
    ) -> None:
        """Adjust the rate, and send the order if the process does not follow it yet.

        Raises `EnvironmentFault` if the process has not answered for too long.
        """
        now = self.clock.now()
        if mine.version is None:
            if now - self._heard_at > SILENT_SECONDS:
                raise EnvironmentFault(
                    f"{self.name} has not answered for {SILENT_SECONDS:g} s, so its sessions "
                    "cannot be asked to move: it is ended after `hang_seconds`, and its clients "
                    "then reconnect to the other processes"
                )
            return
        self._heard_at = now
        if now - self._paced_at >= TURN_SECONDS:
            ceiling = self.plan.migrate_rate_per_second
            self.rate = adjust_rate(self.rate, _worst(takers), self.plan.pace, ceiling)
            self._paced_at = now
        self.rate = min(self.rate, self.ceiling)
        if self._is_followed(mine, to, share_pct) or await self._order(to, share_pct, now):
            self._followed_at = now

    async def _order(self, to: str, share_pct: float, now: float) -> bool:
        """Send the order; False if there was no answer, but there may still be one to the next."""
        within = self.plan.migrate_within_seconds
        try:
            await self.processes.move(
                self.name,
                to,
                rate_per_second=self.rate,
                within_seconds=within,
                share_pct=share_pct,
            )
        except EnvironmentFault:
            # A process that hangs now and then may follow an order that it did not answer in time.
            # Only an older release refuses one, and only to move sessions to another process.
            if to != colour_of(self.name) or now - self._followed_at > SILENT_SECONDS:
                raise
            return False
        return True

    def _is_followed(self, mine: ProcessStatus, to: str, share_pct: float) -> bool:
        move = mine.migration
        if move is None or (move.to, move.share_pct) != (to, share_pct):
            return False
        return abs(move.rate_per_second - self.rate) <= NOTICEABLE * self.rate


def _worst(takers: Sequence[ProcessStatus]) -> Mapping[str, float]:
    names = {name for taker in takers for name in taker.gauges}
    return {name: max(taker.gauges.get(name, 0.0) for taker in takers) for name in names}


def describe(mine: ProcessStatus, rate: float) -> MoveProgress:
    """Return the progress that a process reports."""
    move = mine.migration
    if move is None:
        return MoveProgress(mine.name, mine.connections, rate_per_second=rate)
    return MoveProgress(mine.name, mine.connections, move.moved, move.closed, rate)
