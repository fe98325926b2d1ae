"""An ALB's listener, rules and target groups as Envoy's configuration.

Where it differs from the local environment's own: no colour stands in for the other. A
target group with nobody healthy in it answers 503, as it does on AWS.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isshoni.environments.local.envoy_config import COLOUR_HEADER, bootstrap
from isshoni.environments.local.envoy_listeners import ROUTES
from isshoni.environments.local.files import write_atomically
from isshoni.rollout.model import COLOURS, Colour

_TYPES = "type.googleapis.com/envoy"
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
MAX_SOCKETS = 5000

Json = dict[str, Any]


@dataclass(frozen=True)
class Balancer:
    """What the API was told of one balancer."""

    weights: Mapping[Colour, int]
    rules: tuple[tuple[str, str, Colour], ...]
    """Query parameter, its value, and where it leads; in the order of their priority."""
    targets: Mapping[Colour, tuple[str, ...]]
    """The addresses of each target group."""


class EnvoyFiles:
    """The files that one Envoy reads."""

    def __init__(self, directory: Path, *, port: int, admin_port: int, target_port: int) -> None:
        self.bootstrap = directory / "bootstrap.json"
        self._routes = directory / "routes" / "routes.json"
        self._clusters = directory / "clusters" / "clusters.json"
        self._target_port = target_port
        for path in (self._routes, self._clusters):
            path.parent.mkdir(parents=True)
        document = bootstrap(
            host="127.0.0.1",
            port=port,
            admin_port=admin_port,
            directory=directory,
            max_sockets=MAX_SOCKETS,
        )
        self.bootstrap.write_text(json.dumps(document))
        self._written: dict[Path, Json] = {}

    def write(self, balancer: Balancer) -> None:
        """Have Envoy do as the API was told."""
        clusters = [_cluster(c, balancer.targets[c], self._target_port) for c in COLOURS]
        self._replace(self._clusters, clusters)
        self._replace(self._routes, [_routes(balancer)])

    def _replace(self, path: Path, resources: list[Json]) -> None:
        body = json.dumps(resources)
        document = {
            "version_info": hashlib.sha256(body.encode()).hexdigest()[:16],
            "resources": resources,
        }
        if self._written.get(path) != document:
            self._written[path] = document
            write_atomically(path, json.dumps(document).encode())


def _routes(balancer: Balancer) -> Json:
    to_colour = [
        _route(
            {"cluster": colour},
            {"query_parameters": [{"name": name, "string_match": {"exact": value}}]},
        )
        for name, value, colour in balancer.rules
    ]
    shares = [{"name": c, "weight": balancer.weights[c]} for c in COLOURS]
    by_weight = _route({"weighted_clusters": {"clusters": shares}}, {})
    header = {"key": COLOUR_HEADER, "value": "%UPSTREAM_METADATA(isshoni:colour)%"}
    return {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [{"name": ROUTES, "domains": ["*"], "routes": [*to_colour, by_weight]}],
        "response_headers_to_add": [{"header": header}],
    }


def _route(action: Json, match: Json) -> Json:
    # No timeout: an open socket is under the idle timeout alone, as on an ALB.
    return {"match": {"prefix": "/", **match}, "route": {**action, "timeout": "0s"}}


def _cluster(colour: Colour, addresses: tuple[str, ...], port: int) -> Json:
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": colour,
        "type": "STATIC",
        "connect_timeout": "2.5s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": colour,
            "endpoints": [{"lb_endpoints": [_endpoint(colour, a, port) for a in addresses]}],
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "0.25s",
                "no_traffic_interval": "0.25s",
                "no_traffic_healthy_interval": "0.25s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/readyz"},
            }
        ],
        "ignore_health_on_host_removal": True,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [dict.fromkeys(_LIMITS, MAX_SOCKETS)]},
    }


def _endpoint(colour: Colour, address: str, port: int) -> Json:
    return {
        "endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}},
        "metadata": {"filter_metadata": {"isshoni": {"colour": colour}}},
    }
