"""Read an observation and ask for actions: what all steps share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from isshoni.plurals import count
from isshoni.rollout.actions import Action, ActionResult, ApplyWeights
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.clocks import Condition
from isshoni.rollout.model import (
    BackendStatus,
    Colour,
    Observation,
    Release,
    TrafficSample,
    Weights,
)
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Request, Rollout

RETRY_SECONDS = 1.0
"""An action that has not shown its effect is asked for again after this."""


@dataclass(frozen=True)
class Turn:
    """The input of one turn of the engine."""

    now: float
    seen: Observation | None
    """None: a part of the environment could not be read, so nothing is concluded."""
    results: tuple[ActionResult, ...] = ()
    requests: tuple[Request, ...] = ()
    fault: str | None = None
    """Why nothing could be observed."""


@dataclass(frozen=True)
class Event:
    """An event of the rollout: what happened, and why."""

    what: str
    why: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Stay at the step, and perform the actions that it needs."""

    rollout: Rollout
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Advance:
    """The step is done."""

    rollout: Rollout
    why: str


@dataclass(frozen=True)
class Back:
    """Roll back."""

    reason: str


@dataclass(frozen=True)
class End:
    """The rollout is over; `rollout` carries outcome and reason."""

    rollout: Rollout


Move = Wait | Advance | Back | End


def ask(rollout: Rollout, now: float, *actions: Action) -> Wait:
    """Ask for actions, and again every RETRY_SECONDS until they are no longer wanted."""
    due = tuple(
        action
        for action in actions
        if not 0 <= now - rollout.record.asked.get(str(action), -1e12) < RETRY_SECONDS
    )
    if due:
        asked = {**rollout.record.asked, **{str(action): now for action in due}}
        rollout = rollout.keep(replace(rollout.record, asked=asked))
    return Wait(rollout, due)


def keep_weights(rollout: Rollout, now: float, seen: Observation, wanted: Weights) -> Wait:
    """Ask for the weights `wanted`, unless they are applied already."""
    if rollout.wanted != wanted:
        rollout = replace(rollout, wanted=wanted)
        rollout = rollout.restart_clock(Condition.WEIGHTS_APPLIED, now)
    applied = None if seen.weights is None else seen.weights == wanted
    rollout = rollout.note(Condition.WEIGHTS_APPLIED, applied, now)
    if seen.weights == wanted:
        return Wait(rollout)
    return ask(rollout, now, ApplyWeights(wanted))


def also(waiting: Wait, more: Wait) -> Wait:
    """Return both waits as one; `more` was made from the rollout of `waiting`."""
    return replace(
        more, actions=waiting.actions + more.actions, events=waiting.events + more.events
    )


def is_whole(seen: Observation, colour: Colour) -> bool:
    """True if a colour runs and all its machines pass the balancer's health check."""
    return seen.slots[colour].running and seen.slots[colour].healthy


def is_well(seen: Observation, colour: Colour, plan: RolloutPlan) -> bool:
    """True if a colour runs, and enough of its machines pass the balancer's health check."""
    return is_whole(seen, colour) or (
        seen.slots[colour].running and has_enough_targets(seen, colour, plan)
    )


def is_ready(status: BackendStatus, plan: RolloutPlan) -> bool:
    """True if a backend is ready; of several machines or processes, the planned share."""
    ready = sum(process.ready for process in status.processes)
    enough = 100.0 * ready >= plan.min_healthy_pct * len(status.processes)
    return status.ready or (ready > 0 and enough)


def has_enough_targets(seen: Observation, colour: Colour, plan: RolloutPlan) -> bool:
    """True if the planned share of several machines is healthy; False if it has only one."""
    sample = seen.traffic.get(colour, TrafficSample())
    enough = 100.0 * sample.healthy_targets >= plan.min_healthy_pct * sample.targets
    return sample.targets > 1 and sample.healthy_targets > 0 and enough


def is_vacant(seen: Observation, colour: Colour) -> bool:
    """True if nothing is on a slot, and nothing is being put there."""
    slot = seen.slots[colour]
    return slot.release is None and not slot.running and not slot.changing


def count_connections(seen: Observation, colour: Colour) -> int:
    """Return a colour's live connections: the greater of its own and the balancer's count.

    The two counts are of different connections if the colour's sockets are the relay's.
    """
    if not seen.slots[colour].running:
        return 0
    status = seen.backends.get(colour)
    at_balancer = seen.traffic.get(colour, TrafficSample()).open_connections
    if status is not None and status.relayed:
        return at_balancer + status.connections
    return max(at_balancer, status.connections if status else 0)


def is_empty(seen: Observation, colour: Colour, release: Release) -> bool:
    """True if neither a colour nor the balancer counts a connection on it."""
    if not seen.slots[colour].running:
        return True
    silent = release.can_move_clients and seen.backends.get(colour) is None
    return not silent and count_connections(seen, colour) == 0


def _describe_unhealthy(seen: Observation, colour: Colour) -> str:
    sample, release = seen.traffic.get(colour, TrafficSample()), seen.slots[colour].release
    if not sample.targets and release is not None and release.command is not None:
        # The usual cause is a path that the program does not have: nothing else names it.
        return f"{colour} fails the balancer's health check ({release.ready_path} must answer 200)"
    if not sample.targets:
        return f"{colour} fails the balancer's health check"
    targets = count(sample.targets, "target")
    return f"{colour} fails the balancer's health check ({sample.healthy_targets} of {targets})"


def describe_slot(seen: Observation, colour: Colour) -> str:
    """Return why a colour is not well, as text."""
    slot, status = seen.slots[colour], seen.backends.get(colour)
    if slot.release is None and not slot.running:
        return f"nothing runs on {colour}"
    if not slot.running:
        return f"{colour} is not running ({slot.last_exit or 'no exit known'})"
    if status and not status.ready:
        return f"{colour} is not ready: {status.not_ready_reason or 'it gives no reason'}"
    if not slot.healthy:
        return _describe_unhealthy(seen, colour)
    if status is None and slot.release is not None and slot.release.can_move_clients:
        who = colour if slot.release.speaks_admin_api else f"the relay, for {colour},"
        return f"{who} does not answer on its admin port"
    if slot.side_programs_down:
        return f"not running: {', '.join(slot.side_programs_down)}"
    return f"{colour} is well"
