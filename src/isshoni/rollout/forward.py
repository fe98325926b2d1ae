"""The way forward: one small function a step, read from top to bottom.

Each looks at what is seen and says: wait (and ask for something), advance, or go
back. Success is looked for before a timeout is, so an engine that was away for long
finds what was done meanwhile. Nothing is believed done because it was asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from isshoni.rollout.actions import (
    PrepareRelease,
    ProveCandidate,
    StartCandidate,
    StopColour,
)
from isshoni.rollout.canary import canary, within_weight
from isshoni.rollout.clocks import Condition
from isshoni.rollout.compatibility import assess_formats
from isshoni.rollout.gathering import gather_evidence
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
from isshoni.rollout.start import assess_start, choose_stable
from isshoni.rollout.state import Rollout, end_rollout
from isshoni.rollout.steps import StepName

DEATHS_WHILE_STARTING = 3
"""A candidate that died this often before anyone was sent to it is given up."""
END_OLD_SECONDS = 60.0
"""How long failing to end the old colour is tried again."""


def read_state(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 1: refuse to start from a bad state."""
    readable = None if seen.weights is None or _is_stable_silent(rollout, seen) else True
    rollout = rollout.note(Condition.STATE_READ, readable, now)
    waited_seconds = rollout.measure_wait(Condition.STATE_READ, now)
    if not readable and waited_seconds < rollout.plan.weight_timeout_seconds:
        return Wait(rollout)
    rollout = replace(rollout, stable=choose_stable(rollout, seen), evidence=None)
    rollout = gather_evidence(rollout, seen, now)
    refusal = assess_start(rollout, seen)
    if refusal:
        return End(end_rollout(rollout, "refused", refusal, now))
    stable = rollout.stable
    people = count_connections(seen, stable.colour)
    return Advance(rollout, f"{stable.release.label} on {stable.colour}, {people} connections")


def _is_stable_silent(rollout: Rollout, seen: Observation) -> bool:
    stable = rollout.stable
    silent = stable.release.speaks_admin_api and seen.backends.get(stable.colour) is None
    return silent and is_well(seen, stable.colour) and not rollout.force


def start_candidate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 2: install the release and put it on the idle slot."""
    slot = seen.slots[rollout.candidate]
    prepare = PrepareRelease(rollout.release)
    occupied = slot.release is not None and slot.release != rollout.release
    rollout = rollout.note(Condition.SLOT_FREE, not occupied, now)
    if occupied:
        stopping = ask(rollout, now, StopColour(rollout.candidate))
        return _within_start(stopping, Condition.SLOT_FREE, now)
    rollout = rollout.note(Condition.PREPARED, rollout.prepared, now)
    if not rollout.prepared:
        if fault := rollout.faults.get(str(prepare)):
            return Back(f"{rollout.release.label} could not be prepared: {fault}")
        limit = rollout.plan.prepare_timeout_seconds
        if rollout.measure_wait(Condition.PREPARED, now) > limit:
            return Back(f"{rollout.release.label} was not prepared within {limit:g} s")
        return ask(rollout, now, prepare)
    rollout = rollout.note(Condition.STARTED, slot.release is not None, now)
    if slot.release is None:
        start = StartCandidate(rollout.candidate, rollout.release)
        return _within_start(ask(rollout, now, start), Condition.STARTED, now)
    return Advance(rollout, f"{rollout.release.label} is on {rollout.candidate}")


def wait_until_healthy(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 3: the balancer's health check passes, and the backend calls itself ready."""
    colour, slot = rollout.candidate, seen.slots[rollout.candidate]
    status = seen.backends.get(colour)
    ready = status.ready if status else None if rollout.release.speaks_admin_api else True
    well = is_well(seen, colour) and ready
    started = slot.release == rollout.release
    rollout = rollout.note(Condition.CANDIDATE_READY, well, now)
    rollout = rollout.note(Condition.STARTED, started, now)
    if well:
        return Advance(rollout, f"{colour} is healthy")
    if slot.restarts >= DEATHS_WHILE_STARTING:
        return Back(f"{colour} died {slot.restarts} times while starting: {slot.last_exit}")
    if not started:
        start = StartCandidate(colour, rollout.release)
        return _within_start(ask(rollout, now, start), Condition.STARTED, now)
    limit = rollout.plan.start_timeout_seconds
    if rollout.measure_wait(Condition.CANDIDATE_READY, now) > limit:
        return Back(f"not healthy within {limit:g} s: {describe_slot(seen, colour)}")
    return Wait(rollout)


def prove(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 4: Redis answers the candidate, it reads real sessions, and stable reads its own."""
    if not rollout.release.speaks_admin_api:
        return Advance(rollout, "the release has no admin API to prove anything with")
    if refusal := _find_format_fault(rollout, seen):
        return Back(refusal)
    proof = rollout.proof
    # One damaged session must not keep a fix from all the others: forcing passes it.
    holds = proof and (proof.holds or (rollout.force and proof.redis))
    proven = _has_told_formats(rollout, seen) or None if proof and holds else False
    rollout = rollout.note(Condition.PROVEN, proven, now)
    if proof and proven:
        left_out = f", {proof.damaged} damaged for both colours" if proof.damaged else ""
        read = f"{proof.readable} of {proof.sampled} sessions read"
        warnings = "".join(f"; Redis: {warning}" for warning in proof.warnings)
        return Advance(rollout, f"Redis answers, {read}{left_out}{warnings}")
    if proof and proof.readable < proof.sampled:
        read = f"{proof.readable} of {proof.sampled} sessions"
        return Back(f"{rollout.candidate} could read only {read}: {proof.fault or 'no fault told'}")
    if rollout.measure_wait(Condition.PROVEN, now) > rollout.plan.start_timeout_seconds:
        silent = "a colour does not tell which formats it writes" if proof else "no answer"
        why = (proof and proof.fault) or silent
        return Back(f"{rollout.candidate} could not prove Redis: {why}{rollout.last_fault()}")
    return ask(rollout, now, ProveCandidate(rollout.candidate, rollout.stable.colour))


def migrate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 8: move the rest of the live sessions."""
    stable = rollout.stable
    if not stable.release.speaks_admin_api:
        return Advance(rollout, f"{stable.release.label} has no admin API to move sessions with")
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"nobody is left on {stable.colour}")
    waiting = _empty_the_old(rollout, seen, now)
    if has_moved(waiting.rollout, seen):
        return Advance(waiting.rollout, describe_move(waiting.rollout, seen))
    if has_stalled(waiting.rollout, now):
        people = count_connections(seen, stable.colour)
        return Advance(waiting.rollout, f"{people} connections do not move")
    return waiting


def wait_for_stragglers(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 9: give those who have not moved the drain timeout."""
    stable = rollout.stable
    rollout = _note_stragglers(rollout, seen, now)
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"nobody is left on {stable.colour}")
    limit = rollout.plan.drain_timeout_seconds
    if rollout.measure_wait(Condition.STABLE_EMPTY, now) >= limit:
        people = count_connections(seen, stable.colour)
        return Advance(
            rollout, f"{people} stragglers had {limit:g} s; ending {stable.colour} ends them"
        )
    return _empty_the_old(rollout, seen, now)


def confirm_empty(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 10: the last look before the way back is closed."""
    stable = rollout.stable
    rollout = _note_stragglers(rollout, seen, now)
    rollout = rollout.note(Condition.CANDIDATE_WELL, is_well(seen, rollout.candidate), now)
    waiting = _empty_the_old(rollout, seen, now)
    if seen.weights != waiting.rollout.wanted:
        return within_weight(waiting, seen, now)
    if not is_well(seen, rollout.candidate):
        unwell_seconds = rollout.measure_wait(Condition.CANDIDATE_WELL, now)
        if unwell_seconds > rollout.plan.start_timeout_seconds:
            return Back(describe_slot(seen, rollout.candidate))
        return waiting
    if is_empty(seen, stable.colour, stable.release):
        return Advance(rollout, f"{stable.colour} is empty")
    # The clock of the step before goes on: its stragglers have no second drain timeout.
    waited = rollout.measure_wait(Condition.STABLE_EMPTY, now)
    if waited >= rollout.plan.drain_timeout_seconds:
        people = count_connections(seen, stable.colour)
        return Advance(rollout, f"{people} stragglers are left on {stable.colour}")
    return waiting


def end_old(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 11: end the old colour, warm for a while first; stopping it drains it."""
    colour = rollout.stable.colour
    if is_vacant(seen, colour):
        return Advance(replace(rollout, ending=True), f"{colour} is ended")
    if not rollout.ending and _is_kept_warm(rollout, now):
        return _keep_warm(rollout, seen, now)
    # No way back from here; noted in the journal before anything is stopped.
    rollout = replace(rollout, ending=True)
    stop = StopColour(colour)
    fault = rollout.faults.get(str(stop))
    rollout = rollout.note(Condition.STOPPED_WITHOUT_FAULT, fault is None, now)
    if rollout.measure_wait(Condition.STOPPED_WITHOUT_FAULT, now) > END_OLD_SECONDS:
        return Advance(rollout, f"{colour} could not be ended; the next deploy will; {fault}")
    return ask(rollout, now, stop)


def _is_kept_warm(rollout: Rollout, now: float) -> bool:
    seconds = rollout.plan.keep_stable_seconds
    since = now if rollout.kept_since is None else rollout.kept_since
    return rollout.paused or (now - since < seconds and not rollout.skip_bake)


def _keep_warm(rollout: Rollout, seen: Observation, now: float) -> Wait:
    """Leave the old colour as it is: empty, running, and at hand."""
    if rollout.kept_since is not None:
        return _empty_the_old(rollout, seen, now)
    colour, seconds = rollout.stable.colour, rollout.plan.keep_stable_seconds
    why = f"{colour} stays for {seconds:g} s: `isshoni rollback` brings people back at once"
    waiting = _empty_the_old(replace(rollout, kept_since=now), seen, now)
    return replace(waiting, events=(Event("keep", why),))


def promote(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 12: the candidate is the stable one for the next deploy."""
    colour, label = rollout.candidate, rollout.release.label
    rollout = rollout.note(Condition.CANDIDATE_WELL, is_well(seen, colour), now)
    if is_well(seen, colour):
        return End(end_rollout(rollout, "promoted", f"{label} on {colour} is the stable one", now))
    if rollout.measure_wait(Condition.CANDIDATE_WELL, now) > rollout.plan.start_timeout_seconds:
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


def _has_told_formats(rollout: Rollout, seen: Observation) -> bool:
    """Say whether formats were compared, as far as there is anybody to compare with."""
    stable = rollout.stable
    dead = not is_well(seen, stable.colour)
    exempt = rollout.force or dead or not stable.release.speaks_admin_api
    told = all(seen.backends.get(colour) for colour in (rollout.candidate, stable.colour))
    return exempt or told


def _find_format_fault(rollout: Rollout, seen: Observation) -> str | None:
    stable, candidate = rollout.stable, rollout.candidate
    if rollout.force or not stable.release.speaks_admin_api:
        return None
    mine, theirs = seen.backends.get(candidate), seen.backends.get(stable.colour)
    if mine is None or theirs is None:
        return None
    return assess_formats(
        (rollout.release.label, mine.formats), (stable.release.label, theirs.formats)
    )


def _empty_the_old(rollout: Rollout, seen: Observation, now: float) -> Wait:
    stable = rollout.stable
    waiting = keep_weights(rollout, now, seen, Weights.favouring(rollout.candidate, 100))
    if not stable.release.speaks_admin_api:
        return waiting
    return also(waiting, keep_moving(waiting.rollout, seen, now, stable.colour, 100.0))


def _note_stragglers(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    """Count the time that stragglers have; none of it passes while nobody may move."""
    stable = rollout.stable
    silent = stable.release.speaks_admin_api and seen.backends.get(stable.colour) is None
    empty = is_empty(seen, stable.colour, stable.release)
    met = True if empty or rollout.paused else None if silent else False
    return rollout.note(Condition.STABLE_EMPTY, met, now)


def _within_start(waiting: Wait, condition: Condition, now: float) -> Move:
    rollout, limit = waiting.rollout, waiting.rollout.plan.start_timeout_seconds
    if rollout.measure_wait(condition, now) > limit:
        return Back(f"{rollout.candidate} was not started within {limit:g} s{rollout.last_fault()}")
    return waiting
