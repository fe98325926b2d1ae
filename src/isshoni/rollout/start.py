"""Check that a rollout can start from the present state (spec C1)."""

from isshoni.plurals import count
from isshoni.rollout.look import count_connections, describe_slot, is_well
from isshoni.rollout.model import Observation, Stable, Weights
from isshoni.rollout.state import Rollout


def choose_stable(rollout: Rollout, seen: Observation) -> Stable:
    """Return the stable colour: with `force`, the colour that has the clients.

    After a rollback that got stuck the clients are on the other colour, and the recorded
    stable colour is dead: the fix goes on its slot.
    """
    there = seen.slots[rollout.candidate]
    has_all = seen.weights == Weights.favouring(rollout.candidate, 100)
    abandoned = not is_well(seen, rollout.stable.colour) and is_well(seen, rollout.candidate)
    if rollout.force and has_all and abandoned and there.release is not None:
        return Stable(rollout.candidate, there.release)
    return rollout.stable


def assess_start(rollout: Rollout, seen: Observation) -> str | None:
    """Return why not to start, with what to do about it; None if nothing is wrong.

    With `force` a fix can be deployed while stable is unhealthy or while connections are on
    the candidate's slot, but never while the weights are not on stable.
    """
    stable, candidate = rollout.stable.colour, rollout.candidate
    home = Weights.favouring(stable, 100)
    if seen.weights != home:
        return (
            f"the applied weights are {seen.weights or 'unknown'}, not {home}: "
            "`isshoni rollback` returns clients to the stable colour; if that one is "
            "dead, deploy a fix onto it with --force"
        )
    connections = count_connections(seen, candidate)
    if connections and not rollout.force:
        return (
            f"{candidate} should be idle, but has {count(connections, 'connection')}: "
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
    if rollout.stable.release.can_move_clients and status is None:
        return f"the stable colour, {stable}, does not answer on its admin port"
    return None
