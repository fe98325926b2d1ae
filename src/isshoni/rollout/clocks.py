"""For how long a condition has not held: what every timeout of a rollout is measured by.

A clock belongs to its condition, not to the step or the command that waits for it. It
starts when the condition is seen false and is cleared when it is seen true. A look that
could not read the condition says neither; such looks have a clock of their own, so that
a condition that can never be read ends in its timeout too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Condition(StrEnum):
    """What a rollout waits for within a bound."""

    STATE_READ = "the weights and stable can be read"
    WEIGHTS_APPLIED = "the wanted weights are applied"
    SLOT_FREE = "the candidate's slot is free"
    PREPARED = "the release is prepared"
    STARTED = "the release is on its slot"
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
    """Since when a condition is false, and since when it cannot be read."""

    false_since: float | None = None
    unread_since: float | None = None


Clocks = Mapping[str, ConditionClock]
"""By condition; one that was never looked at has none."""


def update_clock(clocks: Clocks, condition: Condition, met: bool | None, now: float) -> Clocks:
    """Return the clocks after one more look; `met` is None when it could not be read."""
    before = clocks.get(condition, ConditionClock())
    if met:
        after = ConditionClock()
    elif met is None:
        since = now if before.unread_since is None else before.unread_since
        after = replace(before, unread_since=since)
    else:
        after = ConditionClock(now if before.false_since is None else before.false_since)
    return clocks if after == before else {**clocks, condition: after}


def measure_wait(clocks: Clocks, condition: Condition, now: float) -> float:
    """Return the seconds since a condition became false or unreadable; 0 when it holds."""
    clock = clocks.get(condition, ConditionClock())
    since = [at for at in (clock.false_since, clock.unread_since) if at is not None]
    return max(0.0, now - min(since)) if since else 0.0
