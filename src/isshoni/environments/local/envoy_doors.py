"""The doors in Envoy's configuration: clusters whose WebSockets go to the relay.

A door has a host for each relay process. With several, a new WebSocket goes to one by a hash of its
session's key, the same for the doors of both slots, so that the clients of a session share a relay.
That is a preference: any relay can serve any session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isshoni.environments.local.envoy_listeners import Json, address
from isshoni.relay.core.session_key import COOKIE, HEADER, QUERY, SEGMENT, KeyRule, read_key_rule
from isshoni.rollout.model import COLOURS, Colour

DOOR_SUFFIX = "_door"
_OURS, _BALANCING = "isshoni", "envoy.lb"
DEEPEST_SEGMENT = 8
"""Envoy refuses larger patterns (`re2.max_program_size`); of a deeper one it hashes the path."""
_PATH = r"^([^?]*).*$"
ENGINE_IO = [{"name": "EIO", "present_match": True}]


@dataclass(frozen=True)
class RelayDoor:
    """The ports of a slot's door, one of each relay process, and what its sessions share."""

    ports: tuple[int, ...]
    session_key: str = "path"

    @property
    def is_spread(self) -> bool:
        """True if several relay processes share the door."""
        return len(self.ports) > 1


def door_of(colour: Colour) -> str:
    """Return the name of the cluster of a slot's door."""
    return f"{colour}{DOOR_SUFFIX}"


def preferring_door(colour: Colour) -> str:
    """Return the name of the aggregate that prefers a slot, by its door if it has one."""
    return f"{colour}_door_first"


def door_hosts(colour: Colour, door: RelayDoor, checked_port: int | None) -> Json:
    """Return the part of a door's cluster with its hosts, and how one of them is chosen.

    `checked_port`: of the program, which then answers the health checks; else the relay passes them
    on to it.
    """
    ours = {"filter_metadata": {_OURS: {"colour": colour, "session_key": door.session_key}}}
    spread = {"lb_policy": "MAGLEV", "metadata": ours} if door.is_spread else {}
    hosts = [
        _door_host(colour, door, number, port, checked_port)
        for number, port in enumerate(door.ports)
    ]
    assigned = {"cluster_name": door_of(colour), "endpoints": [{"lb_endpoints": hosts}]}
    return {**spread, "load_assignment": assigned}


def _door_host(
    colour: Colour, door: RelayDoor, number: int, port: int, checked_port: int | None
) -> Json:
    checks = {} if checked_port is None else {"port_value": checked_port}
    metadata: Json = {_OURS: {"colour": colour}}
    if door.is_spread:  # hashed by its number: the relay has another port at each door
        metadata[_BALANCING] = {"hash_key": f"relay-{number}"}
    return {
        "endpoint": {"address": address("127.0.0.1", port), "health_check_config": checks},
        "metadata": {"filter_metadata": metadata},
    }


def doors_in(document: Mapping[str, Any]) -> dict[Colour, RelayDoor]:
    """Return each slot's door in a configuration from `clusters`."""
    by_name = {cluster["name"]: cluster for cluster in document["resources"]}
    found = {c: by_name.get(door_of(c)) for c in COLOURS}
    return {c: _door_in(cluster) for c, cluster in found.items() if cluster is not None}


def _door_in(cluster: Mapping[str, Any]) -> RelayDoor:
    hosts = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ports = tuple(int(h["endpoint"]["address"]["socket_address"]["port_value"]) for h in hosts)
    ours = cluster.get("metadata", {}).get("filter_metadata", {}).get(_OURS, {})
    return RelayDoor(ports, ours.get("session_key", "path"))


def routed_doors_in(route_config: Mapping[str, Any]) -> list[Colour]:
    """Return the slots whose doors are named in a route configuration from `routes`."""
    actions = [route.get("route", {}) for route in route_config["virtual_hosts"][0]["routes"]]
    named = {action.get("cluster") for action in actions}
    return [colour for colour in COLOURS if door_of(colour) in named]


def by_session_key(route: Json, session_key: str) -> list[Json]:
    """Return a route of WebSockets, and ahead of it those of its paths that name no session.

    The relay reads the same key (`find_session_key`): what names no session by its path is a
    session of its own, and goes to any relay.
    """
    named = list_named(session_key)
    match = route["match"]
    at_root = [] if read_key_rule(session_key).source == SEGMENT else named
    root = {name: value for name, value in match.items() if name != "prefix"} | {"path": "/"}
    polled = [*match.get("query_parameters", ()), *ENGINE_IO]
    return [
        {**hashed(route, at_root), "match": root},
        {**hashed(route, named), "match": {**match, "query_parameters": polled}},
        hashed(route, [*named, _by_path(_PATH)]),
    ]


def list_named(session_key: str) -> list[Json]:
    """Return how Envoy hashes what a key names in a request; nothing for `path`."""
    policy = _hash_policy(read_key_rule(session_key))
    return [] if policy is None else [{**policy, "terminal": True}]


def hashed(route: Json, policies: Sequence[Json]) -> Json:
    """Return a route that chooses hosts by these hashes, the first that a request has."""
    if not policies:
        return route
    return {**route, "route": {**route["route"], "hash_policy": list(policies)}}


def _hash_policy(rule: KeyRule) -> Json | None:
    if rule.source == QUERY:
        return {"query_parameter": {"name": rule.name}}
    if rule.source == COOKIE:
        return {"cookie": {"name": rule.name}}
    if rule.source == HEADER:
        return {"header": {"header_name": rule.name}}
    if rule.source == SEGMENT and rule.segment <= DEEPEST_SEGMENT:
        return _by_path(rf"^/*(?:[^/?]+/+){{{rule.segment - 1}}}([^/?]+).*$")
    return None


def _by_path(pattern: str) -> Json:
    rewrite = {"pattern": {"regex": pattern}, "substitution": r"\1"}
    return {"header": {"header_name": ":path", "regex_rewrite": rewrite}}
