"""The names of the doors in Envoy's configuration: clusters whose WebSockets go to the relay."""

from collections.abc import Mapping
from typing import Any

from isshoni.rollout.model import COLOURS, Colour

DOOR_SUFFIX = "_door"


def door_of(colour: Colour) -> str:
    """Return the name of the cluster of a slot's door."""
    return f"{colour}{DOOR_SUFFIX}"


def preferring_door(colour: Colour) -> str:
    """Return the name of the aggregate that prefers a slot, by its door if it has one."""
    return f"{colour}_door_first"


def doors_in(document: Mapping[str, Any]) -> dict[Colour, int]:
    """Return the port of each slot's door in a configuration from `clusters`."""
    by_name = {cluster["name"]: cluster for cluster in document["resources"]}
    found = {c: by_name.get(door_of(c)) for c in COLOURS}
    return {c: _port_in(cluster) for c, cluster in found.items() if cluster is not None}


def _port_in(cluster: Mapping[str, Any]) -> int:
    host = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    return int(host["address"]["socket_address"]["port_value"])


def routed_doors_in(route_config: Mapping[str, Any]) -> list[Colour]:
    """Return the slots whose doors are named in a route configuration from `routes`."""
    actions = [route.get("route", {}) for route in route_config["virtual_hosts"][0]["routes"]]
    named = {action.get("cluster") for action in actions}
    return [colour for colour in COLOURS if door_of(colour) in named]
