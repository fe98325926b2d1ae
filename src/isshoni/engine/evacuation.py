"""Empty one process of a slot: its sessions move to the other processes, none is cut."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from isshoni.engine.errors import NothingToDo
from isshoni.engine.operations import Engine, hold_lease
from isshoni.engine.processes import (
    LOOK_SECONDS,
    KeptLease,
    MoveProgress,
    OnMove,
    PacedMove,
    Processes,
    colour_of,
    describe,
    ignore_move,
    mark_and_verify,
    refuse_during_rollout,
)
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import ProcessStatus
from isshoni.rollout.plan import RolloutPlan


@dataclass(frozen=True)
class Evacuation:
    """The result of an evacuation."""

    process: str
    moved: int
    """Clients that moved by themselves."""
    closed: int
    """Clients that were closed, to reconnect to another process."""
    seconds: float


async def evacuate(
    engine: Engine,
    processes: Processes,
    name: str,
    plan: RolloutPlan,
    on_move: OnMove = ignore_move,
) -> Evacuation:
    """Move all sessions of a process to the others of its slot; it keeps running, empty.

    The balancer sends it no new connections from the beginning until `include` or a new release.
    Raises `LeaseHeld`, `NothingToDo` (a rollout runs, or no other process could take the sessions)
    and `EnvironmentFault`; then no more sessions are asked to move.
    """
    with hold_lease(engine, f"evacuate {name}") as lease:
        refuse_during_rollout(engine)
        check_others(name, await processes.observe(colour_of(name)))
        await _take_out(engine, processes, name)
        kept = KeptLease(engine.environment.journal, engine.clock, lease)
        try:
            return await _empty(
                engine, processes, PacedMove(processes, engine.clock, plan, name), kept, on_move
            )
        finally:
            # No session moves while no command watches the pace.
            with suppress(EnvironmentFault):
                await processes.cancel(name)


async def include(engine: Engine, processes: Processes, names: Sequence[str]) -> None:
    """Have the balancer send new connections to processes that were evacuated."""
    with hold_lease(engine, f"include {', '.join(names)}"):
        refuse_during_rollout(engine)
        await mark_and_verify(processes, engine.clock, names, evacuated=False)


def check_others(name: str, statuses: Sequence[ProcessStatus]) -> list[ProcessStatus]:
    """Return the processes that can take the sessions of one; raises `NothingToDo` if none can."""
    takers = list_takers(name, statuses)
    if takers:
        return takers
    others = [status for status in statuses if status.name != name]
    if not others:
        raise NothingToDo(
            f"{name} is the only process of its slot: to serve it with several, set `processes` in "
            "[environments.local], then deploy"
        )
    whys = "; ".join(f"{each.name} {_why_not(each)}" for each in others)
    raise NothingToDo(f"no other process could take the sessions of {name}: {whys}")


def list_takers(name: str, statuses: Sequence[ProcessStatus]) -> list[ProcessStatus]:
    """Return the other processes that get new connections and are ready."""
    return [each for each in statuses if each.name != name and each.ready and not each.evacuated]


def _why_not(status: ProcessStatus) -> str:
    if status.evacuated:
        return "is evacuated itself (`isshoni rebalance` includes it again)"
    return f"is not ready ({status.reason})"


async def _take_out(engine: Engine, processes: Processes, name: str) -> None:
    try:
        await mark_and_verify(processes, engine.clock, [name], evacuated=True)
    except EnvironmentFault:
        processes.mark_evacuated(name, False)
        raise


async def _empty(
    engine: Engine,
    processes: Processes,
    move: PacedMove,
    kept: KeptLease,
    on_move: OnMove,
) -> Evacuation:
    began, last = engine.clock.now(), MoveProgress(move.name, 0)
    while True:
        kept.renew()
        statuses = await processes.observe(colour_of(move.name))
        mine = next((each for each in statuses if each.name == move.name), None)
        if mine is None or (mine.version is not None and mine.connections == 0):
            last = describe(mine, move.rate) if mine and mine.migration else last
            on_move(MoveProgress(move.name, 0, last.moved, last.closed, move.rate))
            return Evacuation(move.name, last.moved, last.closed, engine.clock.now() - began)
        takers = list_takers(move.name, statuses)
        if not takers:
            raise EnvironmentFault(
                f"no other process can take the sessions of {move.name} any more; those that have "
                "not moved stay. Run `isshoni evacuate` again once `isshoni status` shows another "
                "process ready"
            )
        await move.step(mine, takers, colour_of(move.name), 100.0)
        if mine.version is not None:
            last = describe(mine, move.rate)
            on_move(last)
        await engine.clock.sleep(LOOK_SECONDS)
