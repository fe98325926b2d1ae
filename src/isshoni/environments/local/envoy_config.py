"""Build Envoy's configuration: bootstrap, routes (with the weights), clusters (the slots).

Only routes, clusters and the TLS certificate change while Envoy runs: replacing them keeps
every open socket, which replacing a listener would not.

Each slot is a cluster with its own health check. New connections go to an aggregate of
both, `blue_first` or `green_first`: if the first slot is gone, they go to the other one
without an error. A request that names its slot (`?target=green`, from a client that
moves) goes to that slot or fails.

WebSockets of a slot with a relay go to the relay's door for it, a cluster of its own
(`green_door`), everything else straight to the program. Whether a door is healthy is asked of
the program: the relay itself has no opinion.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isshoni.environments.local.envoy_doors import (
    ENGINE_IO,
    RelayDoor,
    by_session_key,
    door_hosts,
    door_of,
    hashed,
    list_named,
    preferring_door,
)
from isshoni.environments.local.envoy_listeners import (
    ROUTES,
    TYPES,
    Json,
    TlsListener,
    address,
    connection_limit,
    plain_listener,
    tls_listener,
    watch,
)
from isshoni.environments.local.envoy_polling import list_sticky, match_sends, set_cookie
from isshoni.environments.local.envoy_probing import for_probes, no_circuit_breaker
from isshoni.environments.local.envoy_processes import (
    PROCESS_HEADER,
    another_process,
    by_session,
    list_targets,
    spread,
)
from isshoni.rollout.model import COLOURS, Colour, Weights, other

COLOUR_HEADER = "x-isshoni-colour"
_UPGRADE_TIMEOUT = "10s"
"""For the answer to an upgrade request; an open WebSocket has no timeout."""
_CONNECT_TIMEOUT = "2.5s"
"""A program whose listen backlog is full for a moment drops a connection attempt, and the kernel
tries again after 1 s and 2 s: the request is late then, instead of an error."""
_UPGRADE = [{"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}]


@dataclass(frozen=True)
class Endpoint:
    """The port of a slot's program and the path of its health check."""

    port: int
    ready_path: str
    processes: Path | None = None
    """The file with the endpoints of its processes; None: it is a single process."""
    door: RelayDoor | None = None
    """The relay's door for the slot; None: no relay is in front of it."""


def bootstrap(
    *,
    host: str,
    port: int,
    admin_port: int,
    directory: Path,
    max_sockets: int,
    tls: TlsListener | None = None,
) -> Json:
    """Return the bootstrap: the listeners, and the files that the rest is read from."""
    listeners = [plain_listener(host, port, directory)]
    if tls is not None:
        listeners.append(tls_listener(tls, directory))
    return {
        "node": {"id": "isshoni", "cluster": "isshoni"},
        "admin": {"address": address("127.0.0.1", admin_port)},
        "dynamic_resources": {"cds_config": watch(directory / "clusters" / "clusters.json")},
        "static_resources": {"listeners": listeners},
        "overload_manager": connection_limit(max_sockets),
    }


def routes(
    weights: Weights,
    version: str,
    processes: Sequence[str] = (),
    doors: Collection[Colour] = (),
    session_key: str | None = None,
) -> Json:
    """Return the routes that split new connections by weight.

    `processes`: the names of those that share a slot; without them no session's id is hashed.
    `doors`: the slots whose WebSockets go to the relay.
    `session_key`: by what they are spread over several relay processes; None: there is only one.
    """
    to_door = [
        _route(
            {"cluster": door_of(colour)},
            {"headers": _UPGRADE, "query_parameters": _target(rf"{colour}(-\d+)?", "safe_regex")},
        )
        for colour in COLOURS
        if colour in doors
    ]
    to_process = [_route(each["action"], each["match"]) for each in list_targets(processes)]
    to_colour = [
        _route(
            {"cluster": colour},
            {"query_parameters": _target(colour, "exact")},
        )
        for colour in COLOURS
    ]
    weighted = _by_weight(weights, [_preferring(c) for c in COLOURS])
    prefers = preferring_door if doors else _preferring
    upgrades = _by_weight(weights, [prefers(c) for c in COLOURS])
    retry = _retry_elsewhere if processes else _retry
    retry_upgrade = _retry_elsewhere if processes or session_key else _retry
    by_weight = [
        # An upgrade that was answered with an error had no effect in the application, so it
        # is retried on the other slot; a plain request may have had an effect.
        _route(
            upgrades,
            {"headers": _UPGRADE},
            retry_upgrade("5xx,reset,connect-failure,refused-stream"),
        ),
        _route(weighted, {}, retry("connect-failure,refused-stream,reset-before-request")),
    ]
    others = [*for_probes(to_colour), *to_colour, *by_weight]
    polling = _keep_polling(doors, by_weight) if doors else []
    by_share = by_session(others) if processes else others
    if doors and session_key is not None:
        to_door = [each for one in to_door for each in by_session_key(one, session_key)]
        polling = [_hash_upgrade(each, session_key) for each in polling]
        by_share = [*by_session_key(by_weight[0], session_key), *by_share]
    return _resources(
        version,
        {
            "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
            "name": ROUTES,
            "virtual_hosts": [
                {
                    "name": ROUTES,
                    "domains": ["*"],
                    "routes": [*to_door, *to_process, *polling, *by_share],
                }
            ],
            "response_headers_to_add": [
                _header(COLOUR_HEADER, "colour"),
                *([_header(PROCESS_HEADER, "process")] if processes else []),
            ],
        },
    )


def _keep_polling(doors: Collection[Colour], by_weight: Sequence[Json]) -> list[Json]:
    """Return the routes of Engine.IO: sessions to their slots, new ones by weight."""
    sticky = [_route(action, match) for action, match in list_sticky(_UPGRADE[0], doors)]
    first = [
        {
            "match": {**route["match"], "query_parameters": ENGINE_IO},
            "route": route["route"],
            "response_headers_to_add": [set_cookie()],
        }
        for route in by_weight
    ]
    upgrades, others = (route["route"] for route in by_weight)
    sends = {**upgrades, "retry_policy": others["retry_policy"]}  # it may have had an effect
    return [*sticky, _route(sends, match_sends()), *first]


def _hash_upgrade(route: Json, session_key: str) -> Json:
    """Return a route of Engine.IO whose WebSockets share a relay if more than the path names it."""
    is_upgrade = _UPGRADE[0] in route["match"].get("headers", ())
    return hashed(route, list_named(session_key)) if is_upgrade else route


def _target(value: str, kind: str) -> list[Json]:
    matched = {"regex": value} if kind == "safe_regex" else value
    return [{"name": "target", "string_match": {kind: matched}}]


def _by_weight(weights: Weights, names: Sequence[str]) -> Json:
    shares = [
        {"name": name, "weight": weights.of(c)} for c, name in zip(COLOURS, names, strict=True)
    ]
    return {"weighted_clusters": {"clusters": shares}}


def _header(name: str, key: str) -> Json:
    return {
        "header": {"key": name, "value": f"%UPSTREAM_METADATA(isshoni:{key})%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def clusters(
    endpoints: Mapping[Colour, Endpoint], version: str, *, keep_preferences: bool = False
) -> Json:
    """Return the clusters of both slots and of their doors, and the aggregates that prefer one.

    `keep_preferences`: routes still name the aggregates of the doors, whether or not there are any.
    """
    colours = [_colour_cluster(colour, endpoints[colour]) for colour in COLOURS]
    preferences = [_preference(_preferring(c), [c, other(c)]) for c in COLOURS]
    with_door = [c for c in COLOURS if endpoints[c].door is not None]
    doors = [_door_cluster(colour, endpoints[colour]) for colour in with_door]
    if doors or keep_preferences:
        first = {c: door_of(c) if c in with_door else c for c in COLOURS}
        preferences += [
            _preference(preferring_door(c), [first[c], first[other(c)]]) for c in COLOURS
        ]
    return _resources(version, *colours, *doors, *preferences)


def weights_in(route_config: Mapping[str, Any]) -> Weights | None:
    """Return the weights in a route configuration; None if it is not from `routes`."""
    try:
        action = route_config["virtual_hosts"][0]["routes"][-1]["route"]
        shares = {
            share["name"]: int(share.get("weight", 0))
            for share in action["weighted_clusters"]["clusters"]
        }
        return Weights(blue=shares[_preferring("blue")], green=shares[_preferring("green")])
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def max_sockets_in(document: Mapping[str, Any]) -> int | None:
    """Return the limit on connections in a configuration from `bootstrap`."""
    try:
        monitor = document["overload_manager"]["resource_monitors"][0]["typed_config"]
        return int(monitor["max_active_downstream_connections"])
    except (LookupError, TypeError, ValueError):
        return None


def ready_paths_in(document: Mapping[str, Any]) -> dict[Colour, str]:
    """Return the health check paths in a configuration from `clusters`."""
    checks = {c["name"]: c["health_checks"] for c in document["resources"] if "health_checks" in c}
    return {colour: checks[colour][0]["http_health_check"]["path"] for colour in COLOURS}


def _preferring(colour: Colour) -> str:
    return f"{colour}_first"


def _resources(version: str, *resources: Json) -> Json:
    return {"version_info": version, "resources": list(resources)}


def _route(action: Json, match: Json, retry_policy: Json | None = None) -> Json:
    upgrade = _UPGRADE[0] in match.get("headers", ())
    route = {**action, "timeout": _UPGRADE_TIMEOUT if upgrade else "60s"}
    if retry_policy is not None:
        route["retry_policy"] = retry_policy
    return {"match": {"prefix": "/", **match}, "route": route}


def _retry(retry_on: str) -> Json:
    return {
        "retry_on": retry_on,
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{TYPES}.extensions.retry.priority.previous_priorities.v3"
                ".PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _retry_elsewhere(retry_on: str) -> Json:
    """Return a policy that tries another process of the slot before the other slot."""
    policy = {**_retry(retry_on), **another_process()}
    policy["retry_priority"]["typed_config"]["update_frequency"] = 2
    return policy


def _colour_cluster(colour: Colour, endpoint: Endpoint) -> Json:
    several = endpoint.processes is not None
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": colour,
        "type": "EDS" if several else "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        **(spread(endpoint.processes) if endpoint.processes else _alone(colour, endpoint)),
        "health_checks": [_health_check(endpoint.ready_path)],
        "ignore_health_on_host_removal": True,
        "common_lb_config": _apply_health(),
        "circuit_breakers": no_circuit_breaker(),
    }


def _door_cluster(colour: Colour, endpoint: Endpoint) -> Json:
    door = endpoint.door
    assert door is not None
    # Of several relays each has to answer by itself, and of several processes any may: the relay
    # passes the question on to one that does.
    asks_program = endpoint.processes is None and not door.is_spread
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": door_of(colour),
        "type": "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        **door_hosts(colour, door, endpoint.port if asks_program else None),
        "health_checks": [_health_check(endpoint.ready_path)],
        "ignore_health_on_host_removal": True,
        "common_lb_config": _apply_health(),
        "circuit_breakers": no_circuit_breaker(),
    }


def _alone(colour: Colour, endpoint: Endpoint) -> Json:
    host = {"address": address("127.0.0.1", endpoint.port)}
    ours = {"filter_metadata": {"isshoni": {"colour": colour}}}
    return {
        "load_assignment": {
            "cluster_name": colour,
            "endpoints": [{"lb_endpoints": [{"endpoint": host, "metadata": ours}]}],
        },
    }


def _apply_health() -> Json:
    return {
        # At the default of 50 %, Envoy sends traffic to unhealthy slots if both are unhealthy.
        "healthy_panic_threshold": {"value": 0},
        # At the default of 1 s, Envoy applies a result up to 1 s after its admin port reports it.
        "update_merge_window": "0s",
    }


def _health_check(path: str) -> Json:
    return {
        "timeout": "2s",
        "interval": "0.25s",
        "no_traffic_interval": "0.25s",  # the default is 60 s for a colour without traffic
        "no_traffic_healthy_interval": "0.25s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": path},
    }


def _preference(name: str, preferred: Sequence[str]) -> Json:
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": _CONNECT_TIMEOUT,
        "lb_policy": "CLUSTER_PROVIDED",
        "common_lb_config": _apply_health(),
        "circuit_breakers": no_circuit_breaker(),
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{TYPES}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": list(preferred),
            },
        },
    }
