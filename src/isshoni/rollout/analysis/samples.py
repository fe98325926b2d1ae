"""What a colour has counted: balancer, backend and probes in one table of counters."""

from collections.abc import Mapping

from isshoni.rollout.model import Colour, Observation

Counts = Mapping[str, int]
"""Counters by name; they only grow, unless the program that counts restarts."""


def take_counts(seen: Observation, colour: Colour, probed: Counts, before: Counts) -> Counts:
    """Return a colour's counters; one that cannot be read keeps its value of `before`."""
    counts = {**before, **{f"probe_{name}": count for name, count in probed.items()}}
    traffic = seen.traffic.get(colour)
    if traffic is not None:
        counts["balancer_requests"] = traffic.requests
        counts["balancer_errors_5xx"] = traffic.errors_5xx
        counts["balancer_refused"] = traffic.refused
    status = seen.backends.get(colour)
    if status is not None:
        counts.update(status.counters)
        for name, buckets in status.histograms.items():
            counts.update({f"{name}_le_{bound}": count for bound, count in buckets.items()})
    return counts


def subtract_counts(after: Counts, before: Counts) -> Counts:
    """Return the increase of each counter; one that was reset counts from zero."""
    return {
        name: count - before.get(name, 0) if count >= before.get(name, 0) else count
        for name, count in after.items()
    }
