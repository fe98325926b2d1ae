"""Perform actions: each in a task, at most one at a time for each resource."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from isshoni.engine.environment import Environment
from isshoni.rollout.actions import (
    Action,
    ActionResult,
    ApplyWeights,
    CancelMigration,
    Migrate,
    PrepareRelease,
    ProbeTarget,
    ProveCandidate,
    SendProbes,
    StartCandidate,
    StopColour,
)
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, ProbeTally, Proof
from isshoni.rollout.ports import Backends, Probes

ActionOutput = Proof | Mapping[Colour, ProbeTally] | None
"""The value that an action returns beside its effect."""


_SLOTS = "slots"


@dataclass(frozen=True)
class _Underway:
    action: Action
    task: asyncio.Task[ActionOutput]
    replaced: frozenset[asyncio.Task[ActionOutput]] = frozenset()
    """Cancelled tasks on the same resource that may not have ended yet; this one waits for them."""

    @property
    def is_replacing(self) -> bool:
        """True while it waits for cancelled tasks on the slots."""
        on_slots = _name_resource(self.action) == _SLOTS
        return on_slots and any(not task.done() for task in self.replaced)


class Performer:
    """Runs actions beside the loop, so that a slow one does not stop its observations."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._underway: dict[str, _Underway] = {}

    @property
    def is_busy_beside_probes(self) -> bool:
        """True if an action other than a round of probes is running."""
        return any(not isinstance(it.action, SendProbes) for it in self._underway.values())

    @property
    def is_stopping(self) -> bool:
        """True while a StopColour action is running, even if the slot already looks empty."""
        return any(
            isinstance(it.action, StopColour) and not it.task.done()
            for it in self._underway.values()
        )

    @property
    def is_starting(self) -> bool:
        """True while a start runs, or a cancelled one has not ended: the slot may still fill."""
        return any(
            (isinstance(it.action, StartCandidate) and not it.task.done()) or it.is_replacing
            for it in self._underway.values()
        )

    def is_underway(self, action: Action) -> bool:
        """True if exactly this action is running."""
        it = self._underway.get(_name_resource(action))
        return it is not None and it.action == action and not it.task.done()

    def start(self, action: Action, check: Callable[[], None]) -> None:
        """Start an action unless it is running; another one on the same resource is cancelled.

        It waits, beside the loop, until the cancelled one has ended: Terraform takes up to 30 s to
        release its lock, and an engine that stood still for so long would lose its lease.
        `check` is called just before anything is changed; if it raises, nothing is.
        """
        if self.is_underway(action):
            return
        resource = _name_resource(action)
        before = self._underway.get(resource)
        replaced = _cancel(before) if before is not None else frozenset()
        task = asyncio.create_task(self._perform_after(replaced, action, check))
        self._underway[resource] = _Underway(action, task, replaced)

    async def _perform_after(
        self,
        replaced: Collection[asyncio.Task[ActionOutput]],
        action: Action,
        check: Callable[[], None],
    ) -> ActionOutput:
        if replaced:
            await asyncio.wait(replaced)
        check()
        return await perform(self._environment, action)

    def collect(self) -> tuple[ActionResult, ...]:
        """Return the results of the actions that ended since the last call."""
        ended = {name: it for name, it in self._underway.items() if it.task.done()}
        for name in ended:
            del self._underway[name]
        return tuple(_conclude(it) for it in ended.values())

    async def aclose(self) -> None:
        """Cancel all running actions, and wait until they have ended."""
        ending = frozenset[asyncio.Task[ActionOutput]]().union(
            *map(_cancel, self._underway.values())
        )
        self._underway.clear()
        if ending:
            await asyncio.wait(ending)


async def perform(environment: Environment, action: Action) -> ActionOutput:
    """Carry out one action on its port."""
    traffic, compute, backends = environment.traffic, environment.compute, environment.backends
    match action:
        case PrepareRelease(release):
            await compute.prepare(release)
        case StartCandidate(colour, release):
            await compute.start(colour, release)
        case StopColour(colour):
            await compute.stop(colour)
        case ApplyWeights(weights):
            await traffic.apply_weights(weights)
        case ProveCandidate(colour, stable):
            return await _prove(backends, colour, stable)
        case SendProbes(targets):
            return await _send_probes(environment.probes, targets)
        case Migrate(colour, to, rate, within, share, close_over):
            await backends.migrate(
                colour,
                to,
                rate_per_second=rate,
                within_seconds=within,
                share_pct=share,
                close_over_seconds=close_over,
            )
        case CancelMigration(colour):
            await backends.cancel_migration(colour)
    return None


async def _prove(backends: Backends, colour: Colour, stable: Colour) -> Proof:
    proof = await backends.prove(colour)
    if not proof.unreadable:
        return proof
    return proof.excuse(await backends.prove(stable, proof.unreadable))


async def _send_probes(
    probes: Probes, targets: Sequence[ProbeTarget]
) -> Mapping[Colour, ProbeTally]:
    rounds = (probes.send(t.colour, t.release, speaks_isshoni=t.speaks_isshoni) for t in targets)
    tallies = await asyncio.gather(*rounds)
    return {target.colour: tally for target, tally in zip(targets, tallies, strict=True)}


def _name_resource(action: Action) -> str:
    match action:
        case PrepareRelease() | StartCandidate() | StopColour():
            # One resource: a rollback cancels an install or a start before it stops the slot.
            return _SLOTS
        case ApplyWeights():
            return "weights"
        case ProveCandidate(colour):
            return f"proof {colour}"
        case SendProbes():
            return "probes"
        case Migrate(colour) | CancelMigration(colour):
            return f"sessions {colour}"


def _conclude(it: _Underway) -> ActionResult:
    fault = it.task.exception()
    if fault is None:
        output = it.task.result()
        if isinstance(output, Proof):
            return ActionResult(it.action, proof=output)
        return ActionResult(it.action, tallies=output or {})
    if isinstance(fault, EnvironmentFault):
        return ActionResult(it.action, fault=str(fault))
    raise fault


def _cancel(it: _Underway) -> frozenset[asyncio.Task[ActionOutput]]:
    """Cancel an action; return all tasks of its resource that have not ended."""
    it.task.cancel()
    it.task.add_done_callback(_retrieve)
    return frozenset(task for task in (it.task, *it.replaced) if not task.done())


def _retrieve(task: asyncio.Task[ActionOutput]) -> None:
    # So that asyncio does not log it as never retrieved.
    if not task.cancelled():
        task.exception()
