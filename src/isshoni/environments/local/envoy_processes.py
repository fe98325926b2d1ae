"""The part of Envoy's configuration for slots with several processes.

New connections of one session go to one process, chosen by a hash of the session's id. That is a
preference: any process can serve any session. `?target=green-1` names a process. The endpoints of
a slot are in a file of their own, so that Envoy keeps all its sockets, counters and health checks
when one is taken out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isshoni.environments.local.process_names import parse_process

PROCESS_HEADER = "x-isshoni-process"
_OF_SESSIONS = ("/ws/", "/sessions/")
_SESSION = r"^/(?:ws|sessions)/([^/?]+).*$"
_SUBSET = "envoy.lb"
_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

Json = dict[str, Any]


@dataclass(frozen=True)
class ProcessEndpoint:
    """The port of one process of a slot."""

    name: str
    port: int
    draining: bool = False
    """True: the balancer sends it no new connections."""


def by_session(routes: Sequence[Json]) -> list[Json]:
    """Return `routes`, and ahead of them the same for paths of sessions, hashed by their ids.

    Other paths are spread at random: the clients of a program that is not Isshoni may all use one.
    """
    rewrite = {"pattern": {"regex": _SESSION}, "substitution": r"\1"}
    hashed = {"hash_policy": [{"header": {"header_name": ":path", "regex_rewrite": rewrite}}]}
    ahead = [
        {
            **route,
            "match": {**route["match"], "prefix": prefix},
            "route": {**route["route"], **hashed},
        }
        for prefix in _OF_SESSIONS
        for route in routes
    ]
    return [*ahead, *routes]


def list_targets(names: Iterable[str]) -> list[Json]:
    """Return a match and an action for each process that a request may name."""
    targets = []
    for name in names:
        process = parse_process(name)
        assert process is not None
        match = {"query_parameters": [{"name": "target", "string_match": {"exact": name}}]}
        only = {"metadata_match": {"filter_metadata": {_SUBSET: {"process": name}}}}
        targets.append({"match": match, "action": {"cluster": process.colour, **only}})
    return targets


def another_process() -> Json:
    """Return the part of a retry policy that tries another process than the one that failed."""
    name = "envoy.retry_host_predicates.previous_hosts"
    kind = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
    typed = {"@type": f"{kind}.PreviousHostsPredicate"}
    return {
        "retry_host_predicate": [{"name": name, "typed_config": typed}],
        "host_selection_retry_max_attempts": 10,
    }


def spread(path: Path) -> Json:
    """Return the part of a cluster that reads its endpoints from a file, and hashes over them."""
    return {
        "eds_cluster_config": {
            "eds_config": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": str(path),
                    "watched_directory": {"path": str(path.parent)},
                },
            },
        },
        "lb_policy": "MAGLEV",
        "lb_subset_config": {
            "fallback_policy": "ANY_ENDPOINT",
            "subset_selectors": [{"keys": ["process"]}],
        },
    }


def assignment(colour: str, endpoints: Sequence[ProcessEndpoint]) -> Json:
    """Return the endpoints of a slot as Envoy reads them."""
    return {
        "@type": _ASSIGNMENT,
        "cluster_name": colour,
        "endpoints": [{"lb_endpoints": [_lb_endpoint(colour, each) for each in endpoints]}],
    }


def endpoints_in(document: Mapping[str, Any]) -> tuple[ProcessEndpoint, ...]:
    """Return the endpoints in a resource from `assignment`."""
    found = document["endpoints"][0]["lb_endpoints"]
    return tuple(
        ProcessEndpoint(
            each["metadata"]["filter_metadata"][_SUBSET]["process"],
            each["endpoint"]["address"]["socket_address"]["port_value"],
            each.get("health_status") == "DRAINING",
        )
        for each in found
    )


def _lb_endpoint(colour: str, endpoint: ProcessEndpoint) -> Json:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": endpoint.port}}
    ours = {"colour": colour, "process": endpoint.name}
    metadata = {"isshoni": ours, _SUBSET: {"process": endpoint.name}}
    health = {"health_status": "DRAINING"} if endpoint.draining else {}
    return {
        "endpoint": {"address": address},
        "metadata": {"filter_metadata": metadata},
        **health,
    }
