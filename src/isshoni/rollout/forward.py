"""The steps of a rollout that moves forward: one small function for each, in their order.

Each function decides from the observation: wait (and ask for actions), advance, or roll
back. It checks for success before it checks for a timeout, so an engine that was not
running for a long time finds what was done in that time. An action counts as done only
when the observation shows it, never because it was asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from isshoni.plurals import count
from isshoni.rollout.actions import (
    StopColour,
)
from isshoni.rollout.canary import canary, within_weight
from isshoni.rollout.clocks import Condition
from isshoni.rollout.look import (
    Advance,
    Back,
    End,
    Event,
    Move,
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
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.moving import describe_move, has_moved, has_stalled, keep_moving
from isshoni.rollout.readying import prove, read_state, start_candidate, wait_until_healthy
from isshoni.rollout.state import Rollout, end_rollout
from isshoni.rollout.step_records import EndingOld
from isshoni.rollout.steps import StepName
from isshoni.rollout.stragglers import describe_closed, describe_stragglers

END_OLD_SECONDS = 60.0
"""How long to try again when the old colour cannot be stopped."""


def migrate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 8: move the rest of the live sessions."""
    stable = rollout.stable
    if not stable.release.can_move_clients:
        return Advance(rollout, f"{stable.release.label} has neither an admin API nor a relay")
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"no connection is left on {stable.colour}")
    waiting = _empty_the_old(rollout, seen, now)
    if has_moved(waiting.rollout, seen):
        return Advance(waiting.rollout, describe_move(waiting.rollout, seen))
    if has_stalled(waiting.rollout, now):
        connections = count_connections(seen, stable.colour)
        return Advance(
            waiting.rollout, f"{count(connections, 'connection')} left that cannot be moved"
        )
    return waiting


def wait_for_stragglers(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 9: wait up to the drain timeout for clients that have not moved."""
    stable = rollout.stable
    rollout = _note_stragglers(rollout, seen, now)
    closed = describe_closed(seen, stable)
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"no connection is left on {stable.colour}{closed}")
    limit = rollout.plan.drain_timeout_seconds
    if rollout.measure_wait(Condition.STABLE_EMPTY, now) >= limit:
        left = describe_stragglers(seen, stable)
        return Advance(rollout, f"{left} had {limit:g} s; ending {stable.colour} ends them{closed}")
    return _empty_the_old(rollout, seen, now)


def confirm_empty(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 10: the last check before a rollback becomes impossible."""
    stable = rollout.stable
    rollout = _note_stragglers(rollout, seen, now)
    waiting = _empty_the_old(rollout, seen, now)
    if seen.weights != waiting.rollout.wanted:
        return within_weight(waiting, seen, now)
    if not is_well(seen, rollout.candidate, rollout.plan):
        unwell_seconds = rollout.measure_wait(Condition.CANDIDATE_WELL, now)
        if unwell_seconds > rollout.plan.start_timeout_seconds:
            return Back(describe_slot(seen, rollout.candidate))
        return waiting
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"{stable.colour} is empty")
    # The clock of the step before continues: stragglers get no second drain timeout.
    waited = rollout.measure_wait(Condition.STABLE_EMPTY, now)
    if waited >= rollout.plan.drain_timeout_seconds:
        return Advance(rollout, f"{describe_stragglers(seen, stable)} are left on {stable.colour}")
    return waiting


def end_old(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 11: keep the old colour warm for the planned time, then stop it, which drains it."""
    colour = rollout.stable.colour
    if is_vacant(seen, colour):
        ended = rollout.keep(replace(rollout.recall(EndingOld), ending=True))
        return Advance(ended, f"{colour} is ended")
    if not rollout.ending and not is_well(seen, rollout.candidate, rollout.plan):
        return _empty_the_old(rollout, seen, now)  # the old colour may still be needed
    if not rollout.ending and _is_kept_warm(rollout, now):
        return _keep_warm(rollout, seen, now)
    # No rollback from here; stored in the journal before anything is stopped.
    rollout = rollout.keep(replace(rollout.recall(EndingOld), ending=True))
    stop = StopColour(colour)
    fault = rollout.at.faults.get(str(stop))
    rollout = rollout.note(Condition.STOPPED_WITHOUT_FAULT, fault is None, now)
    if rollout.measure_wait(Condition.STOPPED_WITHOUT_FAULT, now) > END_OLD_SECONDS:
        return Advance(rollout, f"{colour} could not be stopped; the next deploy stops it; {fault}")
    return ask(rollout, now, stop)


def _is_kept_warm(rollout: Rollout, now: float) -> bool:
    seconds = rollout.plan.keep_stable_seconds
    record = rollout.recall(EndingOld)
    since = now if record.kept_since is None else record.kept_since
    return rollout.paused or (now - since < seconds and not record.skip_bake)


def _keep_warm(rollout: Rollout, seen: Observation, now: float) -> Wait:
    """Keep the old colour running and empty, ready for a rollback."""
    record = rollout.recall(EndingOld)
    if record.kept_since is not None:
        return _empty_the_old(rollout, seen, now)
    colour, seconds = rollout.stable.colour, rollout.plan.keep_stable_seconds
    why = f"{colour} stays for {seconds:g} s: `isshoni rollback` returns sessions at once"
    waiting = _empty_the_old(rollout.keep(replace(record, kept_since=now)), seen, now)
    return replace(waiting, events=(Event("keep", why),))


def promote(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 12: the candidate is the stable one for the next deploy."""
    colour, label = rollout.candidate, rollout.release.label
    if is_well(seen, colour, rollout.plan):
        return End(end_rollout(rollout, "promoted", f"{label} on {colour} is the stable one", now))
    if rollout.measure_wait(Condition.CANDIDATE_WELL, now) > rollout.plan.start_timeout_seconds:
        why = describe_slot(seen, colour)
        reason = f"clients are on {colour} and {rollout.stable.colour} is stopped, but {why}"
        return End(end_rollout(rollout, "stuck", reason, now))
    return Wait(rollout)


StepFunction = Callable[[Rollout, Observation, float], Move]

STEP_FUNCTIONS: Mapping[StepName, StepFunction] = {
    StepName.READ_STATE: read_state,
    StepName.START_CANDIDATE: start_candidate,
    StepName.WAIT_HEALTHY: wait_until_healthy,
    StepName.PROVE: prove,
    StepName.CANARY: canary,
    StepName.MIGRATE: migrate,
    StepName.WAIT_STRAGGLERS: wait_for_stragglers,
    StepName.CONFIRM_EMPTY: confirm_empty,
    StepName.END_OLD: end_old,
    StepName.PROMOTE: promote,
}


def _empty_the_old(rollout: Rollout, seen: Observation, now: float) -> Wait:
    stable = rollout.stable
    waiting = keep_weights(rollout, now, seen, Weights.favouring(rollout.candidate, 100))
    if not stable.release.can_move_clients:
        return waiting
    over = rollout.plan.drain_timeout_seconds if stable.release.relay is not None else 0.0
    moving = keep_moving(waiting.rollout, seen, now, stable.colour, 100.0, over)
    return also(waiting, moving)


def _note_stragglers(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    """Measure how long stragglers have had; the clock is paused while no session may move."""
    stable = rollout.stable
    silent = stable.release.can_move_clients and seen.backends.get(stable.colour) is None
    empty = is_empty(seen, stable.colour, stable.release)
    held = rollout.paused or not is_well(seen, rollout.candidate, rollout.plan)
    met = True if empty or held else None if silent else False
    return rollout.note(Condition.STABLE_EMPTY, met, now)
