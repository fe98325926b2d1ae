"""Steps 1–4: read the state, start the candidate, wait for it, and prove that it reads Redis."""

from dataclasses import replace

from isshoni.plurals import count
from isshoni.rollout.actions import PrepareRelease, ProveCandidate, StartCandidate, StopColour
from isshoni.rollout.clocks import Condition
from isshoni.rollout.compatibility import assess_formats, assess_protocol
from isshoni.rollout.gathering import gather_evidence
from isshoni.rollout.look import (
    Advance,
    Back,
    End,
    Move,
    Wait,
    ask,
    count_connections,
    describe_slot,
    is_well,
    is_whole,
)
from isshoni.rollout.model import Observation
from isshoni.rollout.start import assess_start, choose_stable
from isshoni.rollout.state import Rollout, end_rollout
from isshoni.rollout.step_records import Proving, Starting

DEATHS_WHILE_STARTING = 3
"""Roll back if the candidate dies this often before it gets any traffic."""
UNSTARTABLE_SECONDS = 180.0
"""Roll back if the environment cannot start the candidate for so long: machines may free up."""


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
    connections = count_connections(seen, stable.colour)
    where = f"{stable.release.label} on {stable.colour}"
    return Advance(rollout, f"{where}, {count(connections, 'connection')}")


def _is_stable_silent(rollout: Rollout, seen: Observation) -> bool:
    stable = rollout.stable
    silent = stable.release.can_move_clients and seen.backends.get(stable.colour) is None
    return silent and is_well(seen, stable.colour, rollout.plan) and not rollout.force


def start_candidate(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 2: install the release and put it on the idle slot."""
    slot = seen.slots[rollout.candidate]
    prepare = PrepareRelease(rollout.release)
    occupied = slot.release is not None and slot.release != rollout.release
    rollout = rollout.note(Condition.SLOT_FREE, not occupied, now)
    if occupied:
        stopping = ask(rollout, now, StopColour(rollout.candidate))
        return _within_start(stopping, Condition.SLOT_FREE, now)
    prepared = rollout.recall(Starting).prepared
    rollout = rollout.note(Condition.PREPARED, prepared, now)
    if not prepared:
        if fault := rollout.at.faults.get(str(prepare)):
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
    ready = status.ready if status else None if rollout.release.can_move_clients else True
    well = is_whole(seen, colour) and ready and not slot.side_programs_down
    started = slot.release == rollout.release
    rollout = rollout.note(Condition.CANDIDATE_READY, well, now)
    rollout = rollout.note(Condition.STARTED, started, now)
    rollout = rollout.note(Condition.STARTABLE, well or slot.start_fault is None, now)
    if well:
        return Advance(rollout, f"{colour} is healthy")
    if slot.restarts >= DEATHS_WHILE_STARTING:
        return Back(
            f"{colour} died {count(slot.restarts, 'time')} while starting: {slot.last_exit}"
        )
    if not started:
        start = StartCandidate(colour, rollout.release)
        return _within_start(ask(rollout, now, start), Condition.STARTED, now)
    limit = rollout.plan.start_timeout_seconds
    if rollout.measure_wait(Condition.STARTABLE, now) > min(limit, UNSTARTABLE_SECONDS):
        return Back(f"{colour} cannot be started: {slot.start_fault}")
    if rollout.measure_wait(Condition.CANDIDATE_READY, now) > limit:
        last = f"; last exit: {slot.last_exit}" if slot.last_exit and slot.running else ""
        return Back(f"not healthy within {limit:g} s: {describe_slot(seen, colour)}{last}")
    return Wait(rollout)


def prove(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Step 4: Redis answers the candidate, it reads real sessions, and stable reads its own."""
    if not rollout.release.can_move_clients:
        return Advance(rollout, "it has neither an admin API nor a relay to prove anything with")
    if refusal := _find_mismatch(rollout, seen):
        return Back(refusal)
    proof = rollout.recall(Proving).proof
    # With --force a damaged session does not stop a fix that all other sessions need.
    holds = proof and (proof.holds or (rollout.force and proof.redis))
    proven = _are_formats_known(rollout, seen) or None if proof and holds else False
    rollout = rollout.note(Condition.PROVEN, proven, now)
    if proof and proven:
        left_out = f", {proof.damaged} damaged for both colours" if proof.damaged else ""
        read = f"Redis answers, {proof.readable} of {proof.sampled} sessions read{left_out}"
        warnings = "".join(f"; Redis: {warning}" for warning in proof.warnings)
        return Advance(rollout, f"{proof.shown or read}{warnings}")
    if proof and proof.readable < proof.sampled and not proof.broke_off:
        read, why = f"{proof.readable} of {proof.sampled} sessions", proof.fault or "no reason"
        return Back(f"{rollout.candidate} could read only {read}: {why}")
    if rollout.measure_wait(Condition.PROVEN, now) > rollout.plan.start_timeout_seconds:
        silent = "a colour does not report which formats it writes" if proof else "no answer"
        why = (proof and proof.fault) or silent
        if proof and proof.broke_off:
            why = f"only {proof.readable} of {proof.sampled} sessions were read, {why}"
        what = "prove Redis" if rollout.release.speaks_admin_api else "be reached by the relay"
        return Back(f"{rollout.candidate} could not {what}: {why}{rollout.last_fault()}")
    return ask(rollout, now, ProveCandidate(rollout.candidate, rollout.stable.colour))


def _are_formats_known(rollout: Rollout, seen: Observation) -> bool:
    """True if the formats of candidate and stable are known, or need no comparison."""
    stable = rollout.stable
    dead = not is_well(seen, stable.colour, rollout.plan)
    exempt = rollout.force or dead or not _share_formats(rollout)
    known = all(seen.backends.get(colour) for colour in (rollout.candidate, stable.colour))
    return exempt or known


def _find_mismatch(rollout: Rollout, seen: Observation) -> str | None:
    """Return why candidate and stable, or the probes, are incompatible; else None."""
    stable, candidate = rollout.stable, rollout.candidate
    if rollout.force:
        return None
    mine, theirs = seen.backends.get(candidate), seen.backends.get(stable.colour)
    if not _share_formats(rollout):
        return assess_protocol((rollout.release.label, mine), (stable.release.label, theirs))
    if mine is None or theirs is None:
        return None
    mine_named, theirs_named = (rollout.release.label, mine), (stable.release.label, theirs)
    return assess_protocol(mine_named, theirs_named) or assess_formats(
        (rollout.release.label, mine.formats), (stable.release.label, theirs.formats)
    )


def _share_formats(rollout: Rollout) -> bool:
    """True if both releases report which formats of stored data they read and write."""
    return rollout.release.speaks_admin_api and rollout.stable.release.speaks_admin_api


def _within_start(waiting: Wait, condition: Condition, now: float) -> Move:
    rollout, limit = waiting.rollout, waiting.rollout.plan.start_timeout_seconds
    if rollout.measure_wait(condition, now) > limit:
        return Back(f"{rollout.candidate} was not started within {limit:g} s{rollout.last_fault()}")
    return waiting
