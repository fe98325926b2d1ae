"""Decide which alarms of an outside monitor count against the candidate.

An alarm can be about the other slot, about the time before any client was on the candidate, or
about so few requests that its percentage says nothing. Such an alarm notifies the team, but a
rollback would not help, and could send all clients to the slot that is sick.
"""

from dataclasses import replace

from isshoni.rollout.analysis.failure_rates import count_attempts
from isshoni.rollout.model import FiringAlarm, Observation
from isshoni.rollout.state import Rollout
from isshoni.rollout.trouble import is_shared

LATE_SECONDS = 180.0
"""How late a monitor may still know nothing of the present: CloudWatch lags by minutes."""


def note_alarms(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    """Return the rollout with every alarm that fired before the candidate had clients.

    These never count against it, because the release may be the fix for them. Nor does an
    alarm that fires while stable has the same trouble.
    """
    blameless = not rollout.exposed or is_shared(rollout, seen, now)
    names = frozenset(alarm.name for alarm in seen.alarms)
    if not blameless or names <= rollout.alarms_before:
        return rollout
    return replace(rollout, alarms_before=rollout.alarms_before | names)


def list_guilty_alarms(rollout: Rollout, seen: Observation, now: float) -> list[str]:
    """Return the names of the alarms for which to roll back, sorted."""
    if not _has_volume(rollout):
        return []
    return sorted(
        alarm.name
        for alarm in seen.alarms
        if alarm.colour == rollout.candidate
        and alarm.name not in rollout.alarms_before
        and _is_about_exposure(alarm, rollout.exposed_at, now)
    )


def _is_about_exposure(alarm: FiringAlarm, exposed_at: float | None, now: float) -> bool:
    """True if all figures that an alarm fires on are of the time with clients.

    Those that raised it may be older. If it still fires when the time that it looks back over,
    and the monitor's delay, have passed since the exposure, newer ones keep it firing.
    """
    if exposed_at is None:
        return False
    if alarm.figures_from is not None and alarm.figures_from >= exposed_at:
        return True
    return now - alarm.window_seconds - LATE_SECONDS >= exposed_at


def _has_volume(rollout: Rollout) -> bool:
    if rollout.evidence is None:
        return False
    attempts = count_attempts(rollout.evidence.candidate)
    return attempts >= rollout.plan.thresholds.min_attempts
