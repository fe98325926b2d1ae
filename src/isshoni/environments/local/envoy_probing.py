"""Probes in Envoy's configuration: their plain requests are counted apart from all others.

Envoy counts the requests that it is passing on by their priority. Those of probes have the high
priority, which nothing else has. Each priority has limits of its own; a request that waits for
another goes no sooner for it.
"""

from collections.abc import Mapping, Sequence

from isshoni.environments.local.envoy_listeners import Json
from isshoni.rollout.model import Colour
from isshoni.session.identifiers import PROBE_AGENT

MOST_AT_ONCE = 1_000_000
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_FROM_PROBE = [{"name": "user-agent", "string_match": {"exact": PROBE_AGENT}}]


def for_probes(to_colour: Sequence[Json]) -> list[Json]:
    """Return routes that name a slot for the requests of probes, which go ahead of `to_colour`."""
    return [
        {
            "match": {**route["match"], "headers": _FROM_PROBE},
            "route": {**route["route"], "priority": "HIGH"},
        }
        for route in to_colour
    ]


def no_circuit_breaker() -> Json:
    """Raise every limit; at the default of 1024 the next connection hangs, then fails."""
    limits = dict.fromkeys(_LIMITS, MOST_AT_ONCE)
    return {"thresholds": [limits, {**limits, "priority": "HIGH", "track_remaining": True}]}


def name_counts(colours: Sequence[Colour]) -> str:
    """Return the pattern of the statistics that `count_open` and `count_probes` read."""
    slots = "|".join(colours)
    return rf"^cluster\.({slots})\.(upstream_rq_active|circuit_breakers\.high\.remaining_rq)$"


def count_open(values: Mapping[str, int], colour: Colour) -> int:
    """Return the requests and WebSockets that Envoy is passing on to a slot."""
    return values.get(f"cluster.{colour}.upstream_rq_active", 0)


def count_probes(values: Mapping[str, int], colour: Colour) -> int:
    """Return how many of them are requests of probes; 0 if clusters of an earlier version run."""
    left = values.get(f"cluster.{colour}.circuit_breakers.high.remaining_rq", MOST_AT_ONCE)
    return max(0, MOST_AT_ONCE - left)
