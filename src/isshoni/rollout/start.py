"""Whether the present state is one to start a rollout from (spec C1)."""

from isshoni.rollout.look import count_connections, describe_slot, is_well
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.state import Rollout


def assess_start(rollout: Rollout, seen: Observation) -> str | None:
    """Say why not to start, with what to do about it; None when all is well.

    `force` lets a fix out: it overrides a stable colour that is sick itself, never
    weights that are not where they should be, or people on the slot to be taken.
    """
    stable, candidate = rollout.stable.colour, rollout.candidate
    home = Weights.favouring(stable, 100)
    if seen.weights != home:
        return (
            f"the weights in force are {seen.weights or 'unknown'}, not {home}: "
            "`isshoni rollback` brings people back to the stable colour"
        )
    people = count_connections(seen, candidate)
    if people and not rollout.force:
        return (
            f"{candidate} should be idle, but {people} connections are on it: "
            "wait until they are gone, or deploy with --force, which cuts them"
        )
    sick = _describe_sick_stable(rollout, seen)
    if sick and not rollout.force:
        return f"{sick}. If this deploy is the fix, run it again with --force"
    return None


def _describe_sick_stable(rollout: Rollout, seen: Observation) -> str | None:
    stable = rollout.stable.colour
    status = seen.backends.get(stable)
    if not is_well(seen, stable) or (status and not status.ready):
        return f"the stable colour is not well: {describe_slot(seen, stable)}"
    if rollout.stable.release.speaks_admin_api and status is None:
        return f"the stable colour, {stable}, does not answer on its admin port"
    return None
