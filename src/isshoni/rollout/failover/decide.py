"""Decide what a failover does next: a pure function of its state and of what is observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from isshoni.rollout.failover.actions import Action
from isshoni.rollout.failover.conditions import (
    Seen,
    ask_for,
    find_refusal,
    find_wait,
    keeps_writing,
)
from isshoni.rollout.failover.model import Failover, Outcome, StepTiming
from isshoni.rollout.failover.steps import StepName
from isshoni.rollout.state import Request

RETRY_SECONDS = 1.0
"""How long after an action it is asked for again, if its step still waits."""


@dataclass(frozen=True)
class Turn:
    """What one turn of the engine has read."""

    now: float
    seen: Seen
    requests: Sequence[Request] = ()
    fault: str | None = None
    """Why the action that ended since the last turn failed."""
    is_busy: bool = False
    """True while an action runs."""
    acted_at: float | None = None
    """When this engine last began an action of the present step."""


@dataclass(frozen=True)
class Event:
    """Something to record and to show."""

    what: str
    why: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The new state, what to do, and what to record."""

    failover: Failover
    action: Action | None
    events: tuple[Event, ...]


def decide(failover: Failover, turn: Turn) -> Decision:
    """Return the failover after this turn, and the action to begin."""
    events: list[Event] = []
    if turn.fault is not None:
        if failover.faults.get(failover.step.name) != turn.fault:
            events.append(Event("fault", f"{failover.step.title}: {turn.fault}"))
        failover = replace(failover, faults={**failover.faults, failover.step.name: turn.fault})
    failover = _answer(failover, turn, events)
    began = failover
    failover = _advance(failover, turn, events)
    if failover.outcome != "running" or turn.is_busy or _is_paused(failover):
        return Decision(failover, None, tuple(events))
    is_new = failover.step is not began.step
    if not is_new and turn.acted_at is not None and turn.now - turn.acted_at < RETRY_SECONDS:
        return Decision(failover, None, tuple(events))
    failover, action = ask_for(failover, turn.seen)
    return Decision(failover, action, tuple(events))


def _answer(failover: Failover, turn: Turn, events: list[Event]) -> Failover:
    for request in turn.requests:
        failover = replace(failover, requests_seen=request.id)
        if request.kind == "pause" and failover.step.can_pause:
            failover = replace(failover, paused_by=request.who)
            events.append(Event("paused", f"by {request.who}"))
        elif request.kind == "resume":
            failover = replace(failover, paused_by="", waiting_since=turn.now)
            events.append(Event("resumed", f"by {request.who}"))
        elif request.kind == "abort":
            failover = _abort(failover, turn.now, request.who, events)
        else:
            why = "not now: writes wait until it ends"
            events.append(Event("request_refused", f"{request.kind}: {why}"))
    return failover


def _abort(failover: Failover, now: float, who: str, events: list[Event]) -> Failover:
    if failover.can_turn_back:
        return _turn_back(failover, now, f"{who} aborted it", events)
    why = (
        f"it is too late to go back: {failover.target} is being promoted; finish, then "
        "`isshoni failback`"
    )
    events.append(Event("request_refused", f"abort by {who}: {why}"))
    return failover


def _advance(failover: Failover, turn: Turn, events: list[Event]) -> Failover:
    """Pass a step whose condition is met, or end one that waited for too long."""
    if failover.outcome != "running" or _is_paused(failover):
        return failover
    if (refusal := find_refusal(failover, turn.seen)) is not None:
        return _turn_back(failover, turn.now, refusal, events)
    why = find_wait(failover, turn.seen)
    if why is None:
        return _pass(failover, turn.seen, turn.now, events)
    failover = _note_progress(failover, turn)
    if turn.now - failover.waiting_since <= failover.step_seconds or turn.is_busy:
        return failover
    return _end_wait(failover, turn, why, events)


def _pass(failover: Failover, seen: Seen, now: float, events: list[Event]) -> Failover:
    step = failover.step
    timing = StepTiming(step.name, failover.step_began, now)
    number = failover.step_index + 1
    events.append(Event("step_done", "done", {"step": number, "title": step.title}))
    failover = replace(
        failover,
        timings=(*failover.timings, timing),
        step_index=number,
        step_began=now,
        waiting_since=now,
    )
    if step.name is StepName.FENCE:
        failover = replace(failover, fence_stamp=seen.source.stamp)
    if number < len(failover.steps):
        return failover
    if failover.reverting:
        why = "; ".join((failover.reverting, *failover.warnings))
        return _end(failover, now, "back", why, events)
    return _end(failover, now, "promoted", "; ".join(failover.warnings), events)


def _end_wait(failover: Failover, turn: Turn, why: str, events: list[Event]) -> Failover:
    """Go back, go on with a warning, or stop as stuck."""
    step = failover.step
    last = failover.faults.get(step.name)
    words = f"{step.title}: {why}" + (f" ({last})" if last and last not in why else "")
    if step.when_late == "warn" or keeps_writing(failover, turn.seen):
        events.append(Event("warning", words))
        failover = replace(failover, warnings=(*failover.warnings, words))
        return _pass(failover, turn.seen, turn.now, events)
    if failover.can_turn_back:
        return _turn_back(failover, turn.now, words, events)
    return _end(failover, turn.now, "stuck", f"{words}; {_advise(failover)}", events)


def _turn_back(failover: Failover, now: float, why: str, events: list[Event]) -> Failover:
    if not failover.term:  # nothing was changed yet
        return _end(replace(failover, reverting=why), now, "back", why, events)
    events.append(Event("going_back", why))
    return replace(
        failover, reverting=why, step_index=0, step_began=now, waiting_since=now, paused_by=""
    )


def _end(
    failover: Failover, now: float, outcome: Outcome, reason: str, events: list[Event]
) -> Failover:
    events.append(Event(outcome, reason or f"{failover.target} serves"))
    return replace(failover, outcome=outcome, reason=reason, ended=now)


def _note_progress(failover: Failover, turn: Turn) -> Failover:
    if failover.step.name is not StepName.MOVE:
        return failover
    left = turn.seen.source.connections
    if failover.least_connections is not None and left >= failover.least_connections:
        return failover
    return replace(failover, least_connections=left, waiting_since=turn.now)


def _is_paused(failover: Failover) -> bool:
    """True if it waits for `resume`: never while writes wait."""
    return bool(failover.paused_by) and failover.step.can_pause


def _advise(failover: Failover) -> str:
    """Return what an operator can do about a failover that is stuck."""
    if failover.reverting:
        return (
            f"nothing was promoted, and {failover.source} does not confirm that it writes again: "
            f"repair that (`isshoni up --region {failover.source}` starts what does not run), then "
            f"`isshoni failover` goes on; if it cannot be repaired, `isshoni failover --emergency` "
            f"lets {failover.target} serve"
        )
    return (
        f"repair {failover.target} (`isshoni up --region {failover.target}`), then "
        f"`isshoni failover` goes on from this step; if {failover.target} is lost, "
        f"`isshoni failover --to {failover.source} --emergency`"
    )
