"""The way forward: one small function a step, read from top to bottom.

Each looks at what is seen and says: wait (and ask for something), advance, or go
back. Success is looked for before a timeout is, so an engine that was away for long
finds what was done meanwhile. Nothing is believed done because it was asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from isshoni.rollout.actions import (
    CancelMigration,
    Migrate,
    PrepareRelease,
    ProveCandidate,
    StartCandidate,
    StopColour,
)
from isshoni.rollout.canary import canary, gather_evidence, within_weight
from isshoni.rollout.look import (
    Advance,
    Back,
    End,
    Move,
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
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.start import assess_start, choose_stable
from isshoni.rollout.state import Rollout, end_rollout
from isshoni.rollout.steps import StepName

DEATHS_WHILE_STARTING = 3
"""A candidate that died this often before anyone was sent to it is given up."""
END_OLD_SECONDS = 60.0
"""How long failing to end the old colour is tried again."""


def read_state(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 1: refuse to start from a bad state."""
    unread = seen.weights is None
    if unread and now - rollout.step_began < rollout.plan.weight_timeout_seconds:
        return Wait(rollout)
    rollout = replace(rollout, stable=choose_stable(rollout, seen), evidence=None)
    rollout = gather_evidence(rollout, seen, now)
    refusal = assess_start(rollout, seen)
    if refusal:
        return End(end_rollout(rollout, "refused", refusal, now))
    stable = rollout.stable
    people = count_connections(seen, stable.colour)
    return Advance(rollout, f"{stable.release.label} on {stable.colour}, {people} connections")


def start_candidate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 2: install the release and put it on the idle slot."""
    slot = seen.slots[rollout.candidate]
    prepare = PrepareRelease(rollout.release)
    if slot.release is not None and slot.release != rollout.release:
        return _within_start(rollout, now, ask(rollout, now, StopColour(rollout.candidate)))
    if not rollout.prepared:
        if fault := rollout.faults.get(str(prepare)):
            return Back(f"{rollout.release.label} could not be prepared: {fault}")
        if now - rollout.step_began > rollout.plan.prepare_timeout_seconds:
            limit = rollout.plan.prepare_timeout_seconds
            return Back(f"{rollout.release.label} was not prepared within {limit:g} s")
        return ask(rollout, now, prepare)
    if slot.release is None:
        start = StartCandidate(rollout.candidate, rollout.release)
        return _within_start(rollout, now, ask(rollout, now, start))
    return Advance(rollout, f"{rollout.release.label} is on {rollout.candidate}")


def wait_until_healthy(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 3: the balancer's health check passes, and the backend calls itself ready."""
    colour, slot = rollout.candidate, seen.slots[rollout.candidate]
    status = seen.backends.get(colour)
    ready = not rollout.release.speaks_admin_api or (status is not None and status.ready)
    if is_well(seen, colour) and ready:
        return Advance(rollout, f"{colour} is healthy")
    if slot.restarts >= DEATHS_WHILE_STARTING:
        return Back(f"{colour} died {slot.restarts} times while starting: {slot.last_exit}")
    if slot.release != rollout.release:
        start = StartCandidate(colour, rollout.release)
        return _within_start(rollout, now, ask(rollout, now, start))
    if now - rollout.step_began > rollout.plan.start_timeout_seconds:
        limit = rollout.plan.start_timeout_seconds
        return Back(f"not healthy within {limit:g} s: {describe_slot(seen, colour)}")
    return Wait(rollout)


def prove(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 4: Redis answers the candidate, and it can read real sessions."""
    if not rollout.release.speaks_admin_api:
        return Advance(rollout, "the release has no admin API to prove anything with")
    proof = rollout.proof
    if proof and proof.holds:
        return Advance(rollout, f"Redis answers, {proof.readable} of {proof.sampled} sessions read")
    if proof and proof.readable < proof.sampled:
        read = f"{proof.readable} of {proof.sampled} sessions"
        return Back(f"{rollout.candidate} could read only {read}: {proof.fault or 'no fault told'}")
    if now - rollout.step_began > rollout.plan.start_timeout_seconds:
        why = (proof and proof.fault) or "no answer"
        return Back(f"{rollout.candidate} could not prove Redis: {why}{rollout.last_fault()}")
    return ask(rollout, now, ProveCandidate(rollout.candidate))


def migrate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 8: ask the live sessions to move, until all were told."""
    stable = rollout.stable
    if not stable.release.speaks_admin_api:
        return Advance(rollout, f"{stable.release.label} has no admin API to move sessions with")
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"nobody is left on {stable.colour}")
    if rollout.people_to_move is None:
        rollout = replace(rollout, people_to_move=count_connections(seen, stable.colour))
    status = seen.backends.get(stable.colour)
    moved = status and status.migration
    if moved and moved.done and moved.to == rollout.candidate and rollout.asked:
        return Advance(rollout, f"{moved.moved} moved, {moved.closed} closed")
    if now - rollout.step_began > calculate_move_seconds(rollout, rollout.people_to_move or 0):
        people = count_connections(seen, stable.colour)
        return Advance(rollout, f"{people} connections have not moved yet")
    return _empty_the_old(rollout, seen, now)


def wait_for_stragglers(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 9: give those who have not moved the drain timeout."""
    stable = rollout.stable
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"nobody is left on {stable.colour}")
    if now - rollout.step_began >= rollout.plan.drain_timeout_seconds:
        people = count_connections(seen, stable.colour)
        limit = rollout.plan.drain_timeout_seconds
        return Advance(
            rollout, f"{people} stragglers had {limit:g} s; ending {stable.colour} ends them"
        )
    return _empty_the_old(rollout, seen, now)


def confirm_empty(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 10: the last look before the way back is closed."""
    stable = rollout.stable
    waiting = _empty_the_old(rollout, seen, now)
    if seen.weights != waiting.rollout.wanted:
        return within_weight(waiting, seen, now)
    if not is_well(seen, rollout.candidate):
        if now - rollout.step_began > rollout.plan.start_timeout_seconds:
            return Back(describe_slot(seen, rollout.candidate))
        return waiting
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"{stable.colour} is empty")
    drained_since = rollout.timings[-2].began
    if now - drained_since >= rollout.plan.drain_timeout_seconds:
        people = count_connections(seen, stable.colour)
        return Advance(rollout, f"{people} stragglers are left on {stable.colour}")
    return waiting


def end_old(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 11: end the old colour; stopping it drains it. No way back from here."""
    colour = rollout.stable.colour
    if is_vacant(seen, colour):
        return Advance(rollout, f"{colour} is ended")
    if rollout.faults and now - rollout.step_began > END_OLD_SECONDS:
        fault = rollout.last_fault()
        return Advance(rollout, f"{colour} could not be ended; the next deploy will{fault}")
    return ask(rollout, now, StopColour(colour))


def promote(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 12: the candidate is the stable one for the next deploy."""
    colour, label = rollout.candidate, rollout.release.label
    if is_well(seen, colour):
        return End(end_rollout(rollout, "promoted", f"{label} on {colour} is the stable one", now))
    if now - rollout.step_began > rollout.plan.start_timeout_seconds:
        why = describe_slot(seen, colour)
        reason = f"people are on {colour} and {rollout.stable.colour} is ended, but {why}"
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


def calculate_move_seconds(rollout: Rollout, people: int) -> float:
    """Give the time that moving `people` takes at worst, when they can move."""
    plan = rollout.plan
    return people / plan.migrate_rate_per_second + plan.migrate_within_seconds + 1.0


def _empty_the_old(rollout: Rollout, seen: Observation, now: float) -> Wait:
    stable, candidate = rollout.stable, rollout.candidate
    waiting = keep_weights(rollout, now, seen, Weights.favouring(candidate, 100))
    status = seen.backends.get(stable.colour)
    if status is None or not stable.release.speaks_admin_api:
        return waiting
    moving = is_moving(seen, stable.colour, candidate)
    if rollout.paused:
        unasked = CancelMigration(stable.colour)
        return _and_ask(waiting, now, unasked) if moving else waiting
    plan = rollout.plan
    rate, within = plan.migrate_rate_per_second, plan.migrate_within_seconds
    return (
        waiting
        if moving
        else _and_ask(waiting, now, Migrate(stable.colour, candidate, rate, within))
    )


def _and_ask(waiting: Wait, now: float, action: Migrate | CancelMigration) -> Wait:
    more = ask(waiting.rollout, now, action)
    return Wait(more.rollout, waiting.actions + more.actions)


def _within_start(rollout: Rollout, now: float, waiting: Wait) -> Move:
    limit = rollout.plan.start_timeout_seconds
    if now - rollout.step_began > limit:
        return Back(f"{rollout.candidate} was not started within {limit:g} s{rollout.last_fault()}")
    return waiting
