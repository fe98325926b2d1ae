"""The way back: traffic first, then sessions, then the candidate goes.

Where people are sent is decided anew each turn:

- the stable colour is well: home, the usual case;
- it is not, but a candidate that had people is: they stay on the candidate. A release
  that was judged bad and answers is better than one that does not;
- neither is: home. Its data format is the known one, and it is tried to be restarted.

Only the first is a rollback. The others wait for the stable colour to recover, and
when patience runs out a person must look: the outcome is `stuck`.
"""

from dataclasses import replace

from isshoni.rollout.actions import Action, CancelMigration, Migrate, StopColour
from isshoni.rollout.forward import END_OLD_SECONDS, calculate_move_seconds
from isshoni.rollout.look import (
    End,
    Event,
    Wait,
    ask,
    count_connections,
    describe_slot,
    is_empty,
    is_moving,
    is_vacant,
    is_well,
    keep_weights,
)
from isshoni.rollout.model import Colour, Observation, Weights
from isshoni.rollout.state import Rollback, Rollout, end_rollout


def begin_rollback(rollout: Rollout, reason: str, now: float) -> Rollout:
    """Turn round; from here on only `revert` decides."""
    rollback = Rollback(reason, began=now, clock_began=now)
    cleared = replace(rollout, wanted=None, paused=False, asked={}, faults={})
    return replace(cleared, rollback=rollback)


def revert(rollout: Rollout, seen: Observation, now: float) -> Wait | End:
    """Go one turn further back."""
    refuge = choose_refuge(rollout, seen)
    waiting = keep_weights(rollout, now, seen, Weights.favouring(refuge, 100))
    waiting = _and_ask(waiting, now, *_calls_off(rollout, seen))
    home = Weights.favouring(rollout.stable.colour, 100)
    if seen.weights != home or (
        _is_in_use(rollout, seen) and not is_well(seen, rollout.stable.colour)
    ):
        return _within_patience(waiting, seen, now)
    waiting = _note_traffic_home(waiting, now)
    if not _may_stop(waiting.rollout, seen, now):
        return _bring_sessions_home(waiting, seen, now)
    return _stop_candidate(_note_sessions_home(waiting, seen, now), seen, now)


def choose_refuge(rollout: Rollout, seen: Observation) -> Colour:
    """Choose where new connections go for now."""
    stable, candidate = rollout.stable.colour, rollout.candidate
    on_candidate = _is_in_use(rollout, seen) and is_well(seen, candidate)
    return candidate if on_candidate and not is_well(seen, stable) else stable


def _is_in_use(rollout: Rollout, seen: Observation) -> bool:
    # A balancer that fails over sends people to the candidate before any canary does.
    return rollout.exposed or count_connections(seen, rollout.candidate) > 0


def _calls_off(rollout: Rollout, seen: Observation) -> tuple[Action, ...]:
    # Nobody more may be sent to the candidate; this need not wait for the weights.
    leaving = is_moving(seen, rollout.stable.colour, rollout.candidate)
    return (CancelMigration(rollout.stable.colour),) if leaving else ()


def _within_patience(waiting: Wait, seen: Observation, now: float) -> Wait | End:
    rollout = waiting.rollout
    back = rollout.rollback
    assert back is not None
    if now - back.clock_began <= rollout.plan.start_timeout_seconds:
        return waiting
    stable = rollout.stable.colour
    if is_well(seen, stable):
        why = f"the balancer does not take {rollout.wanted}{rollout.last_fault()}"
    else:
        why = f"no way back, {describe_slot(seen, stable)}"
    in_force = f"weights in force: {seen.weights or 'unknown'}"
    reason = f"{back.reason}; {why}; {in_force}. Mend it, then `isshoni rollback` goes on"
    return End(end_rollout(rollout, "stuck", reason, now))


def _note_traffic_home(waiting: Wait, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.traffic_home is not None:
        return waiting
    took = f"after {now - back.began:.2f} s"
    event = Event("traffic_home", f"new connections are on {rollout.stable.colour} {took}")
    return _noted(waiting, replace(back, traffic_home=now), event)


def _note_sessions_home(waiting: Wait, seen: Observation, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.sessions_home is not None or not is_empty(seen, rollout.candidate, rollout.release):
        return waiting
    took = f"after {now - back.began:.2f} s"
    event = Event("sessions_home", f"the last session has left {rollout.candidate} {took}")
    return _noted(waiting, replace(back, sessions_home=now), event)


def _may_stop(rollout: Rollout, seen: Observation, now: float) -> bool:
    """Say whether the candidate is empty, or its people had their time."""
    back = rollout.rollback
    assert back is not None
    if back.sessions_home is not None or is_empty(seen, rollout.candidate, rollout.release):
        return True  # and so it stays: a program that is stopping no longer says how it is
    # Nobody can ask the people of a program without admin API to move; on a release
    # that is being rolled back they should not sit out the whole drain timeout.
    enough = calculate_move_seconds(rollout, back.people or 0)
    bound = min(rollout.plan.drain_timeout_seconds, enough)
    return back.emptying_began is not None and now - back.emptying_began >= bound


def _bring_sessions_home(waiting: Wait, seen: Observation, now: float) -> Wait:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if back.emptying_began is None:
        people = count_connections(seen, rollout.candidate)
        begun = replace(back, people=people, emptying_began=now)
        event = Event("bring_home", f"{people} connections are on {rollout.candidate}")
        waiting = _noted(waiting, begun, event)
    stable, candidate = rollout.stable.colour, rollout.candidate
    if not rollout.release.speaks_admin_api or is_moving(seen, candidate, stable):
        return waiting
    plan = rollout.plan
    rate, within = plan.migrate_rate_per_second, plan.migrate_within_seconds
    return _and_ask(waiting, now, Migrate(candidate, stable, rate, within))


def _stop_candidate(waiting: Wait, seen: Observation, now: float) -> Wait | End:
    rollout, back = waiting.rollout, waiting.rollout.rollback
    assert back is not None
    if is_vacant(seen, rollout.candidate):
        return End(end_rollout(rollout, "rolled_back", back.reason, now))
    since = max(back.clock_began, back.emptying_began or 0.0)
    if rollout.faults and now - since > END_OLD_SECONDS:
        left = f"{rollout.candidate} could not be ended{rollout.last_fault()}"
        return End(end_rollout(rollout, "rolled_back", f"{back.reason}; {left}", now))
    return _and_ask(waiting, now, StopColour(rollout.candidate))


def _noted(waiting: Wait, back: Rollback, event: Event) -> Wait:
    rollout = replace(waiting.rollout, rollback=back)
    return replace(waiting, rollout=rollout, events=(*waiting.events, event))


def _and_ask(waiting: Wait, now: float, *actions: Action) -> Wait:
    more = ask(waiting.rollout, now, *actions)
    return replace(waiting, rollout=more.rollout, actions=waiting.actions + more.actions)
