"""Decide what to do next: a whole rollout as one pure function.

Level-triggered: it decides from what is observed, never from what was asked for. So if an
engine dies at any line, the next engine can continue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from isshoni.rollout.actions import (
    Action,
    ActionResult,
    ApplyWeights,
    PrepareRelease,
    SendProbes,
)
from isshoni.rollout.alarms import list_guilty_alarms, note_alarms
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.forward import STEP_FUNCTIONS
from isshoni.rollout.gathering import describe_conviction, gather_evidence, note_probes
from isshoni.rollout.look import Advance, Back, End, Event, Move, Turn, Wait, ask, is_well
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.revert import begin_rollback, revert
from isshoni.rollout.state import Request, Rollout, advance_step, end_rollout, note_weights
from isshoni.rollout.step_records import Baking, EndingOld, Proving, Starting, StepRecord
from isshoni.rollout.steps import EXPOSED
from isshoni.rollout.trouble import assess_trouble, is_shared, note_trouble
from isshoni.rollout.weather import record_weather


@dataclass(frozen=True)
class Decision:
    """The result of a turn: the new state, actions to perform, events to record."""

    rollout: Rollout
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    verdict: Verdict | None = None
    """The verdict so far, while a canary step bakes."""


def decide(rollout: Rollout, turn: Turn) -> Decision:
    """Return the decision of a turn; the same input always gives the same decision."""
    if rollout.outcome != "running":
        return Decision(rollout)
    rollout = fold_results(rollout, turn.results)
    rollout, reason, events = take_requests(rollout, turn.requests)
    if turn.seen is None:
        reason = reason or assess_blindness(rollout, turn)
        if rollout.blind_since is None:
            rollout = replace(rollout, blind_since=turn.now)
            events = (*events, Event("blind", turn.fault or "nothing was seen"))
    else:
        blind = rollout.blind_since is not None
        rollout = note_weights(replace(rollout, blind_since=None), turn.seen.weights, turn.now)
        rollout, troubles = note_trouble(rollout, turn.seen, turn.now)
        events = (*events, *troubles)
        rollout = note_alarms(rollout, turn.seen, turn.now)
        rollout = gather_evidence(rollout, turn.seen, turn.now, blind=blind)
        rollout = record_weather(rollout, turn.seen)
        reason = reason or assess_danger(rollout, turn.seen, turn.now)
    if reason and rollout.can_turn_back:
        rollout = begin_rollback(rollout, reason, turn.now)
        events = (*events, Event("rollback", reason))
    return _proceed(rollout, turn, events)


def _proceed(rollout: Rollout, turn: Turn, events: tuple[Event, ...]) -> Decision:
    if turn.seen is None:
        return _proceed_blind(rollout, turn, events)
    if rollout.rollback is not None:
        return _conclude(revert(rollout, turn.seen, turn.now), events)
    while True:
        move = STEP_FUNCTIONS[rollout.step.name](rollout, turn.seen, turn.now)
        move = _hold_while_paused(move)
        if isinstance(move, Back):
            rollout = begin_rollback(rollout, move.reason, turn.now)
            events = (*events, Event("rollback", move.reason))
            return _conclude(revert(rollout, turn.seen, turn.now), events)
        if not isinstance(move, Advance):
            return _conclude(move, events)
        done = rollout.step
        rollout = advance_step(move.rollout, turn.now)
        events = (*events, Event("step_done", move.why, {"step": done.number}))


def _proceed_blind(rollout: Rollout, turn: Turn, events: tuple[Event, ...]) -> Decision:
    """Wait, because nothing could be observed; a rollback still sends traffic to stable."""
    if rollout.rollback is None:
        return Decision(rollout, events=events)
    blind_since = turn.now if rollout.blind_since is None else rollout.blind_since
    if turn.now - blind_since > rollout.plan.start_timeout_seconds:
        reason = f"{rollout.rollback.reason}; and the environment cannot be read: {turn.fault}"
        return _conclude(End(end_rollout(rollout, "stuck", reason, turn.now)), events)
    if not rollout.exposed or rollout.rollback.traffic_home is not None:
        return Decision(rollout, events=events)
    home = rollout.wanted or Weights.favouring(rollout.stable.colour, 100)
    return _conclude(ask(rollout, turn.now, ApplyWeights(home)), events)


def _conclude(move: Wait | End, events: tuple[Event, ...]) -> Decision:
    if isinstance(move, Wait):
        return Decision(move.rollout, move.actions, (*events, *move.events), move.verdict)
    ended = move.rollout
    return Decision(ended, events=(*events, Event(ended.outcome, ended.reason)))


def _hold_while_paused(move: Move) -> Move:
    if isinstance(move, Advance) and move.rollout.paused:
        return Wait(move.rollout)
    return move


def fold_results(rollout: Rollout, results: Iterable[ActionResult]) -> Rollout:
    """Return the rollout with the results of the actions that ended."""
    for result in results:
        asked = str(result.action)
        before = rollout.record.faults
        faults = {what: fault for what, fault in before.items() if what != asked}
        if result.fault is not None:
            faults[asked] = result.fault
        record = replace(rollout.record, faults=faults)
        rollout = rollout.keep(_fold_into_record(record, result))
        for colour, tally in result.tallies.items():
            rollout = note_probes(rollout, colour, tally)
    return rollout


def _fold_into_record(record: StepRecord, result: ActionResult) -> StepRecord:
    match record:
        case Starting() if isinstance(result.action, PrepareRelease) and result.fault is None:
            return replace(record, prepared=True)
        case Proving() if result.proof is not None:
            return replace(record, proof=result.proof)
        case Baking() if isinstance(result.action, SendProbes):
            return replace(record, probes_underway=False)
    return record


def take_requests(
    rollout: Rollout, requests: Iterable[Request]
) -> tuple[Rollout, str | None, tuple[Event, ...]]:
    """Apply each new request once; returns the rollout, why to roll back, and events."""
    reason: str | None = None
    events: list[Event] = []
    for request in requests:
        if request.id <= rollout.requests_seen:
            continue
        rollout = replace(rollout, requests_seen=request.id)
        what: str = request.kind
        why = f"asked by {request.who}"
        if refusal := _refuse_request(rollout, request):
            what, why = "too_late", f"{request.kind} {why}: {refusal}"
        elif request.kind in ("rollback", "abort"):
            reason = f"{request.kind} {why}"
        else:
            rollout = _take_request(rollout, request)
        events.append(Event(what, why, {"request": request.id}))
    return rollout, reason, tuple(events)


def _refuse_request(rollout: Rollout, request: Request) -> str | None:
    if rollout.rollback is not None:
        return "it is being rolled back"
    if not rollout.can_turn_back:
        return "the old version is stopped or being stopped"
    if request.kind == "rollback" and rollout.returning:
        return "it is a rollback already; `isshoni abort` cancels it"
    if request.kind == "skip_bake" and not isinstance(rollout.at, Baking | EndingOld):
        return "there is nothing to skip at this step"
    return None


def _take_request(rollout: Rollout, request: Request) -> Rollout:
    if request.kind == "skip_bake" and isinstance(rollout.at, Baking | EndingOld):
        return rollout.keep(replace(rollout.at, skip_bake=True))
    return replace(rollout, paused_by=request.who if request.kind == "pause" else None)


def assess_blindness(rollout: Rollout, turn: Turn) -> str | None:
    """Return why to roll back if nothing could be observed for too long; else None."""
    limit = rollout.plan.weight_timeout_seconds
    if rollout.blind_since is None or turn.now - rollout.blind_since <= limit:
        return None
    return f"the environment could not be read for {limit:g} s: {turn.fault}"


def assess_danger(rollout: Rollout, seen: Observation, now: float) -> str | None:
    """Return why to roll back at once: the candidate is dead or bad, or an alarm fired."""
    can_roll_back = rollout.step.name in EXPOSED and rollout.can_turn_back
    if not can_roll_back or rollout.restarts_before is None:
        return None
    slot = seen.slots[rollout.candidate]
    deaths = max(0, slot.restarts - rollout.restarts_before) + (not slot.running)
    if deaths > rollout.plan.thresholds.restarts:
        last = f", last exit: {slot.last_exit}" if slot.last_exit else ""
        return f"{rollout.candidate} died while clients could be on it{last}"
    well = is_well(seen, rollout.candidate, rollout.plan)
    if is_shared(rollout, seen, now) or (deaths == 0 and not well):
        return assess_trouble(rollout, seen, now)
    if fired := list_guilty_alarms(rollout, seen, now):
        return f"went off while clients could be on {rollout.candidate}: {', '.join(fired)}"
    return describe_conviction(rollout)
