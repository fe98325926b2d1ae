"""Choose when to observe again: as planned, or sooner if something is about to change."""

from isshoni.rollout.actions import SendProbes
from isshoni.rollout.look import RETRY_SECONDS
from isshoni.rollout.model import Observation
from isshoni.rollout.moving import has_moved
from isshoni.rollout.pace import TURN_SECONDS
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Baking
from isshoni.rollout.steps import StepName

QUICK_SECONDS = 0.05
"""The time between two turns while a quick action runs, or something is about to change."""
SLOWEST_SECONDS = 1.0
"""The longest time between two turns: requests are read and the lease renewed in time."""
SLOW_STEPS = frozenset({StepName.CANARY, StepName.WAIT_STRAGGLERS, StepName.END_OLD})


def choose_pause(rollout: Rollout, seen: Observation | None, now: float, *, busy: bool) -> float:
    """Return the seconds until the next observation.

    `busy`: an action runs whose end must be seen soon. During a bake a round of probes is none:
    its result only adds evidence, which is weighed at the plan's pace.
    """
    plan = rollout.plan
    quick = min(QUICK_SECONDS, plan.observe_seconds)
    if busy or rollout.step.name not in SLOW_STEPS or not rollout.can_turn_back or seen is None:
        return quick
    slowest = min(plan.observe_seconds, SLOWEST_SECONDS)
    if rollout.step.name is not StepName.CANARY:
        return slowest
    return max(quick, min(slowest, _find_next_event(rollout, seen, now) - now))


def _find_next_event(rollout: Rollout, seen: Observation, now: float) -> float:
    """Return when a canary step has to do something next, at the earliest."""
    baking, moving = rollout.recall(Baking), rollout.moving
    if seen.weights != rollout.wanted:
        return now
    due: list[float] = []
    probed_at = baking.asked.get(str(SendProbes(())))
    if probed_at is not None and not baking.probes_underway:
        due.append(probed_at + RETRY_SECONDS)
    if baking.bake_began is not None:
        ends_at = baking.bake_began + rollout.plan.bake_seconds
        if ends_at <= now and baking.probes_underway:
            return now  # the verdict may wait for this round alone
        due.append(ends_at)
    elif rollout.stable.release.can_move_clients and moving is not None:
        due.append(moving.paced_at + TURN_SECONDS)
        status = seen.backends.get(moving.colour)
        if status is not None and status.migration is not None and not has_moved(rollout, seen):
            # Those that wait for their new connection are among the remaining ones.
            due.append(now + status.migration.remaining / moving.rate_per_second)
    # What is overdue waits for something else: a verdict, a candidate that is well.
    return min((at for at in due if at > now), default=float("inf"))
