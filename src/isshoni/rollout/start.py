"""Check that a rollout can start from the present state (spec C1)."""

from isshoni.plurals import count
from isshoni.rollout.look import count_connections, describe_slot, is_ready, is_well
from isshoni.rollout.model import Observation, Stable, Weights
from isshoni.rollout.state import Rollout


def choose_stable(rollout: Rollout, seen: Observation) -> Stable:
    """Return the stable colour: with `force`, the colour that has the clients.

    After a rollback that got stuck the clients are on the other colour, and the recorded
    stable colour is dead: the fix goes on its slot.
    """
    there = seen.slots[rollout.candidate]
    has_all = seen.weights == Weights.favouring(rollout.candidate, 100)
    abandoned = not is_well(seen, rollout.stable.colour, rollout.plan) and is_well(
        seen, rollout.candidate, rollout.plan
    )
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
    if rollout.force:
        return None
    if sick := _describe_sick_stable(rollout, seen):
        return f"{sick}. If this deploy is the fix, run it again with --force"
    return _describe_unreachable_stable(rollout, seen)


def _describe_sick_stable(rollout: Rollout, seen: Observation) -> str | None:
    stable = rollout.stable.colour
    status = seen.backends.get(stable)
    unready = status is not None and not is_ready(status, rollout.plan)
    if not is_well(seen, stable, rollout.plan) or unready:
        return f"the stable colour is not well: {describe_slot(seen, stable)}"
    return None


def _describe_unreachable_stable(rollout: Rollout, seen: Observation) -> str | None:
    """Return what to do about an admin port that only this machine may fail to reach."""
    stable = rollout.stable.colour
    if not rollout.stable.release.can_move_clients or seen.backends.get(stable) is not None:
        return None
    return (
        f"the stable colour, {stable}, does not answer on its admin port, but passes the "
        "balancer's health check: this machine may not reach that port. On AWS run it inside "
        "the VPC (docs/aws.md); `isshoni doctor` says what it reaches"
    )
