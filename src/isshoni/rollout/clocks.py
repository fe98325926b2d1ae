"""Measure how long a condition has been false: every timeout of a rollout uses this.

A clock belongs to its condition, not to the step or the command that waits for it. It
starts when the condition is seen false and is cleared when it is seen true. A condition that
cannot be read is neither; a second clock measures that, so that a condition that can
never be read reaches its timeout too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Condition(StrEnum):
    """A condition that a rollout waits for, with a time limit."""

    STATE_READ = "the weights and stable can be read"
    WEIGHTS_APPLIED = "the wanted weights are applied"
    SLOT_FREE = "the candidate's slot is free"
    PREPARED = "the release is prepared"
    STARTED = "the release is on its slot"
    STARTABLE = "the environment can start the candidate"
    CANDIDATE_READY = "the candidate is healthy and ready"
    CANDIDATE_WELL = "the candidate is healthy"
    PROVEN = "the candidate has proven Redis and its formats"
    TROUBLE_NOT_SHARED = "the candidate has no trouble that stable has too"
    VERDICT_CLEAR = "the verdict is clear once the bake is over"
    STABLE_EMPTY = "no connection is left on stable"
    STABLE_WELL = "stable is healthy"
    STABLE_KEEPS = "stable sends no session away"
    STOPPED_WITHOUT_FAULT = "stopping a colour brings no fault"


@dataclass(frozen=True)
class ConditionClock:
    """Since when a condition is false, and since when it is unreadable; None if not."""

    false_since: float | None = None
    unread_since: float | None = None


Clocks = Mapping[str, ConditionClock]
"""Clocks by condition; a condition that was never checked has none."""


def update_clock(clocks: Clocks, condition: Condition, met: bool | None, now: float) -> Clocks:
    """Return the clocks after one more check; `met` is None when it could not be read."""
    before = clocks.get(condition, ConditionClock())
    if met:
        after = ConditionClock()
    elif met is None:
        since = now if before.unread_since is None else before.unread_since
        after = replace(before, unread_since=since)
    else:
        after = ConditionClock(now if before.false_since is None else before.false_since)
    return clocks if after == before else {**clocks, condition: after}


def delay_clock(clocks: Clocks, condition: Condition, seconds: float, now: float) -> Clocks:
    """Return the clocks with one that runs delayed, as if a stretch of time had not been."""
    clock = clocks.get(condition)
    if clock is None or clock.false_since is None:
        return clocks
    later = replace(clock, false_since=min(now, clock.false_since + seconds))
    return {**clocks, condition: later}


def measure_wait(clocks: Clocks, condition: Condition, now: float) -> float:
    """Return the seconds since a condition became false or unreadable; 0 if it is true."""
    clock = clocks.get(condition, ConditionClock())
    since = [at for at in (clock.false_since, clock.unread_since) if at is not None]
    return max(0.0, now - min(since)) if since else 0.0
