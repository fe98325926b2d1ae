"""What is left on a colour when its time is over, and why."""

from collections.abc import Iterator, Mapping

from isshoni.rollout.look import count_connections
from isshoni.rollout.model import Observation, Stable, TrafficSample

REASONS = {
    "unreachable": "the new program was not reached",
    "refused": "the new program refused them",
    "subprotocol": "the new program chose another subprotocol",
    "join": "the new program did not accept what was replayed",
    "never_quiet": "there was no quiet moment",
    "too_large": "too much was sent during the move",
    "new_ended": "the new program closed them during the move",
    "protocol": "their protocol cannot be moved",
}


def describe_stragglers(seen: Observation, stable: Stable) -> str:
    """Return how many connections are left on the stable colour, and why: `3 stragglers (…)`."""
    connections = count_connections(seen, stable.colour)
    reasons = "; ".join(_list_reasons(seen, stable))
    return f"{connections} stragglers ({reasons})" if reasons else f"{connections} stragglers"


def describe_closed(seen: Observation, stable: Stable) -> str:
    """Return which clients a relay closed instead of moving them; empty if it closed none."""
    status = seen.backends.get(stable.colour)
    closed = status.migration.closed_for if status and status.migration else {}
    if not closed:
        return ""
    reasons = "; ".join(_name(closed))
    return f"; {sum(closed.values())} were closed, because they could not be moved ({reasons})"


def _name(reasons: Mapping[str, int]) -> list[str]:
    return [
        f"{count}: {REASONS.get(name, name.replace('_', ' '))}"
        for name, count in sorted(reasons.items())
        if count
    ]


def _list_reasons(seen: Observation, stable: Stable) -> Iterator[str]:
    status = seen.backends.get(stable.colour)
    at_balancer = seen.traffic.get(stable.colour, TrafficSample()).open_connections
    if not stable.release.can_move_clients:
        yield f"{stable.release.label} has neither an admin API nor a relay"
        return
    if status is not None and status.migration is not None:
        yield from _name(status.migration.failures)
    if stable.release.relay is not None and at_balancer:
        yield f"{at_balancer}: HTTP answers that have not ended"
