"""The rollback: new connections first, then sessions, then the candidate is stopped.

Where new connections go is decided again at each turn:

- stable is healthy: to stable, the usual case;
- stable is not healthy, but the candidate is and has had clients: to the candidate. A
  release that was judged bad and answers is better than one that does not answer;
- neither is healthy: to stable. Its data format is the known one, and the environment
  tries to restart it.

Only the first case is a rollback. The others wait for stable to recover. If it does not
recover in time, the outcome is `stuck`: an operator must check.
"""

from dataclasses import replace

from isshoni.plurals import count
from isshoni.rollout.actions import StopColour
from isshoni.rollout.clocks import Condition
from isshoni.rollout.forward import END_OLD_SECONDS
from isshoni.rollout.look import (
    End,
    Event,
    Wait,
    also,
    ask,
    count_connections,
    describe_slot,
    is_empty,
    is_vacant,
    is_well,
    keep_weights,
)
from isshoni.rollout.model import Colour, Observation, Weights
from isshoni.rollout.moving import cancel_move, has_stalled, keep_moving, sends_sessions_away
from isshoni.rollout.state import Rollback, Rollout, end_rollout


def begin_rollback(rollout: Rollout, reason: str, now: float) -> Rollout:
    """Return the rollout with a rollback begun; from here on only `revert` decides."""
    rollback = Rollback(reason=reason, began=now)
    at = replace(rollout.at, clocks={}, asked={}, faults={})  # the rollback has its own
    cleared = replace(rollout, wanted=None, moving=None, paused_by=None, clocks={})
    return replace(cleared, at=at, rollback=rollback, blind_since=None)


def revert(rollout: Rollout, seen: Observation, now: float) -> Wait | End:
    """Decide the next turn of the rollback."""
    rollout = _note_stable(rollout, seen, now)
    refuge = choose_refuge(rollout, seen)
    waiting = keep_weights(rollout, now, seen, Weights.favouring(refuge, 100))
    # No more sessions may move to the candidate; this need not wait for the weights.
    waiting = also(waiting, cancel_move(waiting.rollout, seen, now, rollout.stable.colour))
    home = Weights.favouring(rollout.stable.colour, 100)
    if seen.weights != home or (
        _is_in_use(rollout, seen) and not is_well(seen, rollout.stable.colour, rollout.plan)
    ):
        return _within_patience(waiting, seen, now)
    waiting = _note_traffic_home(_resume_emptying(waiting, now), now)
    if sends_sessions_away(seen, rollout.stable.colour):
        # A client that returned now would be sent to the candidate again, which will be stopped.
        return _within_patience(waiting, seen, now)
    if not _may_stop(waiting.rollout, seen, now):
        return _bring_sessions_home(waiting, seen, now)
    return _stop_candidate(_note_sessions_home(waiting, seen, now), seen, now)


def choose_refuge(rollout: Rollout, seen: Observation) -> Colour:
    """Return the colour that new connections go to for now."""
    stable, candidate = rollout.stable.colour, rollout.candidate
    on_candidate = _is_in_use(rollout, seen) and is_well(seen, candidate, rollout.plan)
    return candidate if on_candidate and not is_well(seen, stable, rollout.plan) else stable


def _is_in_use(rollout: Rollout, seen: Observation) -> bool:
    # A balancer that fails over sends clients to the candidate before any canary does.
    return rollout.exposed or count_connections(seen, rollout.candidate) > 0


def _note_stable(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    stable = rollout.stable.colour
    silent = rollout.stable.release.can_move_clients and seen.backends.get(stable) is None
    keeps = None if silent else not sends_sessions_away(seen, stable)
    rollout = rollout.note(Condition.STABLE_WELL, is_well(seen, stable, rollout.plan), now)
    return rollout.note(Condition.STABLE_KEEPS, keeps, now)


def _within_patience(waiting: Wait, seen: Observation, now: float) -> Wait | End:
    rollout = waiting.rollout
    back = rollout.rollback
    assert back is not None
    stable = rollout.stable.colour
    if not is_well(seen, stable, rollout.plan):
        condition, limit = Condition.STABLE_WELL, rollout.plan.start_timeout_seconds
        why = f"cannot roll back, {describe_slot(seen, stable)}"
    elif seen.weights != rollout.wanted:
        condition, limit = Condition.WEIGHTS_APPLIED, rollout.plan.weight_timeout_seconds
        why = f"the balancer does not take {rollout.wanted}{rollout.last_fault()}"
    else:
        condition, limit = Condition.STABLE_KEEPS, rollout.plan.start_timeout_seconds
        why = f"{stable} does not stop sending sessions away{rollout.last_fault()}"
    if rollout.measure_wait(condition, now) <= limit:
        unread = is_well(seen, stable, rollout.plan) and seen.weights is None
        return waiting if unread else _pause_emptying(waiting, now)
    applied = f"weights applied: {seen.weights or 'unknown'}"
    reason = f"{back.reason}; {why}; {applied}. Repair it, then `isshoni rollback` continues"
    return End(end_rollout(rollout, "stuck", reason, now))


def _pause_emptying(waiting: Wait, now: float) -> Wait:
    back = waiting.rollout.rollback
    assert back is not None
    if back.emptying_began is None or back.held_since is not None:
        return waiting
    held = replace(back, held_since=now)
    return replace(waiting, rollout=replace(waiting.rollout, rollback=held))


def _resume_emptying(waiting: Wait, now: float) -> Wait:
    """Extend the timeout of emptying by the time in which stable could take no session."""
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.held_since is None or back.emptying_began is None:
        return waiting
    held = now - back.held_since
    back = replace(back, emptying_began=back.emptying_began + held, held_since=None)
    moving = rollout.moving
    if moving is not None:
        moving = replace(moving, progressed_at=moving.progressed_at + held)
    return replace(waiting, rollout=replace(rollout, rollback=back, moving=moving))


def _note_traffic_home(waiting: Wait, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.traffic_home is not None:
        return waiting
    took = f"after {now - back.began:.2f} s"
    event = Event("traffic_home", f"new connections are on {rollout.stable.colour} {took}")
    return _add_event(waiting, replace(back, traffic_home=now), event)


def _note_sessions_home(waiting: Wait, seen: Observation, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.sessions_home is not None or not is_empty(seen, rollout.candidate, rollout.release):
        return waiting
    took = f"after {now - back.began:.2f} s"
    event = Event("sessions_home", f"the last session has left {rollout.candidate} {took}")
    return _add_event(waiting, replace(back, sessions_home=now), event)


def _may_stop(rollout: Rollout, seen: Observation, now: float) -> bool:
    """True if the candidate is empty, or its clients had the time that the plan gives them."""
    back = rollout.rollback
    assert back is not None
    if back.sessions_home is not None or is_empty(seen, rollout.candidate, rollout.release):
        return True  # remembered, because a stopping program no longer reports its connections
    if back.emptying_began is None:
        return False
    emptying_seconds = now - back.emptying_began
    if rollout.release.can_move_clients and not has_stalled(rollout, now):
        return emptying_seconds >= rollout.plan.drain_timeout_seconds
    if rollout.release.relay is not None:
        return emptying_seconds >= _close_over_seconds(rollout)
    # Clients of a program without admin API cannot be asked to move; on a release
    # that is being rolled back they should not keep it for the whole drain timeout.
    bound = min(rollout.plan.drain_timeout_seconds, rollout.plan.migrate_within_seconds)
    return emptying_seconds >= bound


def _close_over_seconds(rollout: Rollout) -> float:
    """Return the time over which a relay spreads the closes of clients that it cannot move."""
    if rollout.release.relay is None:
        return 0.0
    return min(rollout.plan.drain_timeout_seconds, rollout.plan.rollback_within_seconds)


def _bring_sessions_home(waiting: Wait, seen: Observation, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.emptying_began is None:
        connections = count_connections(seen, rollout.candidate)
        begun = replace(back, people=connections, emptying_began=now)
        here = f"{count(connections, 'connection')} on {rollout.candidate}"
        event = Event("bring_home", here)
        waiting = _add_event(waiting, begun, event)
    if not rollout.release.can_move_clients:
        return waiting
    over = _close_over_seconds(rollout)
    return also(waiting, keep_moving(waiting.rollout, seen, now, rollout.candidate, 100.0, over))


def _stop_candidate(waiting: Wait, seen: Observation, now: float) -> Wait | End:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    # A cancelled start may still create what it was creating: stopped after that, not before.
    if is_vacant(seen, rollout.candidate) and not seen.starting:
        return End(end_rollout(rollout, "rolled_back", back.reason, now))
    stop = StopColour(rollout.candidate)
    fault = rollout.record.faults.get(str(stop))
    rollout = rollout.note(Condition.STOPPED_WITHOUT_FAULT, fault is None, now)
    if rollout.measure_wait(Condition.STOPPED_WITHOUT_FAULT, now) > END_OLD_SECONDS:
        left = f"{rollout.candidate} could not be stopped; {fault}"
        return End(end_rollout(rollout, "rolled_back", f"{back.reason}; {left}", now))
    return also(waiting, ask(rollout, now, stop))


def _add_event(waiting: Wait, back: Rollback, event: Event) -> Wait:
    rollout = replace(waiting.rollout, rollback=back)
    return replace(waiting, rollout=rollout, events=(*waiting.events, event))
