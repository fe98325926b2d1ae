"""Detect trouble that stable has too, such as a failing Redis: do not blame the candidate.

Both colours use one Redis. If it fails, both fail the balancer's check and report why. But
their checks run at different moments, so the two are compared over some seconds: a candidate
that alone is unhealthy for a moment may be the first to notice, or the last to recover.
"""

from dataclasses import replace

from isshoni.rollout.clocks import Condition
from isshoni.rollout.look import Event, describe_slot, is_ready, is_well
from isshoni.rollout.model import Colour, Observation
from isshoni.rollout.state import Rollout, Trouble

SETTLING_SECONDS = 2.0
"""How long a candidate must be unhealthy before it is blamed: stable may fail next."""
RECOVERY_SECONDS = 15.0
"""How long after stable's trouble the candidate's same trouble still counts as shared."""


def note_trouble(
    rollout: Rollout, seen: Observation, now: float
) -> tuple[Rollout, tuple[Event, ...]]:
    """Return the rollout with the trouble of both colours updated, and the events to report."""
    stable, candidate = rollout.stable.colour, rollout.candidate
    theirs = _name_trouble(rollout, seen, stable)
    if theirs is not None:
        rollout = replace(rollout, stable_trouble=Trouble(tuple(sorted(theirs)), now))
    if not rollout.exposed or rollout.rollback is not None:
        return rollout, ()
    shared = is_shared(rollout, seen, now)
    known = Condition.TROUBLE_NOT_SHARED
    began = rollout.measure_wait(known, now) == 0 and not rollout.is_false(known)
    well = is_well(seen, candidate, rollout.plan)
    rollout = rollout.note(Condition.CANDIDATE_WELL, well, now)
    rollout = replace(rollout, unhealthy_seen=0 if well else rollout.unhealthy_seen + 1)
    after = rollout.note(known, not shared, now)
    if shared and began:
        why = f"{describe_slot(seen, candidate)}; {stable} has it too: waiting"
        return after, (Event("shared_trouble", why),)
    if not shared and rollout.is_false(known):
        return after, (Event("shared_trouble_over", f"{candidate} is judged again"),)
    return after, ()


def is_shared(rollout: Rollout, seen: Observation, now: float) -> bool:
    """True if the candidate has trouble that stable has, or had a moment ago."""
    mine, theirs = _name_trouble(rollout, seen, rollout.candidate), rollout.stable_trouble
    if mine is None or theirs is None or now - theirs.seen_at > RECOVERY_SECONDS:
        return False
    unknown = not mine or not theirs.parts
    return unknown or not mine.isdisjoint(theirs.parts)


def assess_trouble(rollout: Rollout, seen: Observation, now: float) -> str | None:
    """Return why to roll back an unhealthy candidate; None if well, or not yet certain."""
    colour, why = rollout.candidate, describe_slot(seen, rollout.candidate)
    if is_shared(rollout, seen, now):
        limit = rollout.plan.shared_trouble_seconds
        if rollout.measure_wait(Condition.TROUBLE_NOT_SHARED, now) <= limit:
            return None
        return f"{why}; {rollout.stable.colour} too, for {limit:g} s: {colour} may be the cause"
    if is_well(seen, colour, rollout.plan):
        return None
    # By count too: between two observations may lie seconds in which nothing could be read.
    settled = rollout.unhealthy_seen >= rollout.plan.unhealthy_observations
    waited_seconds = rollout.measure_wait(Condition.CANDIDATE_WELL, now)
    return why if settled and waited_seconds >= SETTLING_SECONDS else None


def _name_trouble(rollout: Rollout, seen: Observation, colour: Colour) -> frozenset[str] | None:
    """Return the parts of the reason why a running colour cannot serve; None if it can.

    A reason is `Redis: no answer`, or for several machines `i-1: Redis: no answer; i-2: …`.
    Colours that share a part have the same trouble, because they share no machine. Empty if
    the colour gives no reason.
    """
    slot, status = seen.slots[colour], seen.backends.get(colour)
    if not slot.running:
        return None  # its process died: never excused by trouble of the other colour
    if status is not None and not is_ready(status, rollout.plan):
        reason = (status.not_ready_reason or "").replace("; ", ": ")
        return frozenset(filter(None, reason.split(": ")))
    return None if is_well(seen, colour, rollout.plan) else frozenset()
