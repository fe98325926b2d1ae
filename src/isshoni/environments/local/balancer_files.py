"""Envoy's configuration files; it reads a file again when the file is replaced."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.envoy_config import (
    Endpoint,
    bootstrap,
    clusters,
    max_sockets_in,
    ready_paths_in,
    routes,
    weights_in,
)
from isshoni.environments.local.envoy_doors import RelayDoor, doors_in, routed_doors_in
from isshoni.environments.local.envoy_listeners import Json, TlsListener, certificate_secret
from isshoni.environments.local.envoy_processes import (
    ProcessEndpoint,
    assignment,
    endpoints_in,
)
from isshoni.environments.local.files import DamagedFile, read_json, write_atomically
from isshoni.environments.local.open_files import affordable_sockets, open_files_limit
from isshoni.environments.local.tls import Certificate
from isshoni.rollout.model import COLOURS, Colour, Weights, other

_DEFAULT_READY_PATH = "/readyz"
_TLS = " tls "


class BalancerFiles:
    """Writes and reads bootstrap, routes and clusters under `STATE_DIR/balancer`."""

    def __init__(self, config: LocalConfig, ports: Ports) -> None:
        self._config = config
        self._ports = ports
        self.directory = config.state_dir / "balancer"
        self.bootstrap_path = self.directory / "bootstrap.json"
        self._secret = self.directory / "tls" / "certificate.json"
        self._routes = self.directory / "routes" / "routes.json"
        self._clusters = self.directory / "clusters" / "clusters.json"

    @property
    def listening(self) -> str:
        """Return the addresses it listens on: changing them needs a restart of the balancer."""
        ports, config = self._ports, self._config
        plain = f"{config.plain_host}:{ports.public} {ports.balancer_admin}"
        tls = self._find_tls_listener()
        return plain if tls is None else f"{plain}{_TLS}{tls.host}:{tls.port}"

    @property
    def pulse(self) -> str:
        """Return the URL for the liveness check: the admin port, which no client can fill."""
        return f"http://127.0.0.1:{self._ports.balancer_admin}/ready"

    def write_bootstrap(self) -> None:
        """Write the bootstrap file, which Envoy reads only at its start."""
        for path in (self._routes, self._clusters):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = bootstrap(
            host=self._config.plain_host,
            port=self._ports.public,
            admin_port=self._ports.balancer_admin,
            directory=self.directory,
            max_sockets=affordable_sockets(open_files_limit(self._config.state_dir)),
            tls=self._find_tls_listener(),
        )
        _write(self.bootstrap_path, document)

    def write_certificate(self, certificate: Certificate) -> None:
        """Replace the certificate unless it is unchanged; Envoy uses it for new connections."""
        self._secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        resource = certificate_secret(certificate.chain, certificate.key)
        document = {"version_info": _version_of(resource), "resources": [resource]}
        if _read(self._secret) != document:
            _write(self._secret, document)

    def _find_tls_listener(self) -> TlsListener | None:
        config = self._config
        if config.tls_certificate is None:
            return None
        return TlsListener(config.host, config.tls_port, self._secret)

    def read_max_sockets(self) -> int | None:
        """Return Envoy's limit on connections; None before it was first started."""
        document = _read(self.bootstrap_path)
        return None if document is None else max_sockets_in(document)

    def write_weights(self, weights: Weights) -> None:
        """Replace the routes file, even if nothing changed, so that Envoy reads it again."""
        _write(self._routes, self._make_routes(weights, self.read_doors()))

    def read_doors(self) -> Mapping[Colour, RelayDoor]:
        """Return the relay's doors that WebSockets may go to, by slot."""
        document = _read(self._clusters)
        return doors_in(document) if document else {}

    def _make_routes(self, weights: Weights, doors: Collection[Colour]) -> Json:
        names = [each.name for colour in COLOURS for each in self.read_endpoints(colour)]
        key = self._find_session_key(weights)
        version = _version_of(routes(weights, "", names, doors, key))
        return routes(weights, version, names, doors, key)

    def _refresh_routes(self) -> None:
        """Replace the routes if they name other processes, or other relays than there are."""
        before = _read(self._routes)
        weights = self.read_weights()
        if weights is not None:
            wanted = self._make_routes(weights, self._doors_in_use())
            if wanted != before:
                _write(self._routes, wanted)

    def _find_session_key(self, weights: Weights) -> str | None:
        """Return by what sessions are spread over several relays; None if there is one.

        It is that of the slot with more weight.
        """
        doors = {c: door for c, door in self.read_doors().items() if door.is_spread}
        favoured = max(doors, key=weights.of, default=None)
        return None if favoured is None else doors[favoured].session_key

    def _doors_in_use(self) -> Collection[Colour]:
        """Return the slots whose doors the routes name: Envoy must keep their clusters."""
        document = _read(self._routes)
        return routed_doors_in(document["resources"][0]) if document else ()

    def read_weights(self) -> Weights | None:
        """Return the weights in the routes file; None if there is none."""
        document = _read(self._routes)
        return weights_in(document["resources"][0]) if document else None

    def write_slot(
        self,
        colour: Colour,
        ready_path: str,
        processes: Sequence[ProcessEndpoint] = (),
        door: RelayDoor | None = None,
        other_ports: Sequence[int] = (),
    ) -> None:
        """Replace health check path, processes and door of a slot, unless they are unchanged.

        `processes` are given if there are several, `door` is the relay's for the slot, and
        `other_ports` are the ports that the other slot's door has with it. A cluster that is
        written again starts its counters at zero. WebSockets go by a new door once weights are
        written: until then Envoy may not have loaded its cluster.
        """
        # First the endpoints, which a cluster that names their file needs at once.
        self.write_endpoints(colour, processes)
        before = _read(self._clusters)
        paths = (ready_paths_in(before) if before else {}) | {colour: ready_path}
        doors: dict[Colour, RelayDoor | None] = {**self.read_doors(), colour: door}
        beside = doors.get(other(colour))
        if beside is not None and other_ports:
            doors[other(colour)] = replace(beside, ports=tuple(other_ports))
        endpoints = {each: self._endpoint(each, paths, doors.get(each)) for each in COLOURS}
        used = bool(self._doors_in_use())
        version = _version_of(clusters(endpoints, "", keep_preferences=used))
        wanted = clusters(endpoints, version, keep_preferences=used)
        if wanted != before:
            _write(self._clusters, wanted)
        self._refresh_routes()

    def _endpoint(
        self, colour: Colour, paths: Mapping[Colour, str], door: RelayDoor | None
    ) -> Endpoint:
        path = paths.get(colour, _DEFAULT_READY_PATH)
        several = bool(self.read_endpoints(colour))
        file = self._endpoints_path(colour) if several else None
        return Endpoint(getattr(self._ports, colour), path, file, door)

    def write_endpoints(self, colour: Colour, processes: Sequence[ProcessEndpoint]) -> bool:
        """Replace the processes of a slot that has several; return False if unchanged."""
        if tuple(processes) == self.read_endpoints(colour):
            return False
        path = self._endpoints_path(colour)
        if processes:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            resource = assignment(colour, processes)
            version = _version_of(resource)
            _write(path, {"version_info": version, "resources": [resource]})
        else:
            path.unlink(missing_ok=True)
        return True

    def read_endpoints(self, colour: Colour) -> tuple[ProcessEndpoint, ...]:
        """Return the processes of a slot that has several; else an empty tuple."""
        document = _read(self._endpoints_path(colour))
        return endpoints_in(document["resources"][0]) if document else ()

    def _endpoints_path(self, colour: Colour) -> Path:
        return self.directory / "endpoints" / f"{colour}.json"


def speaks_tls(listening: str) -> bool:
    """True if a balancer that listens on these addresses has one with TLS."""
    return _TLS in listening


def _version_of(document: Json) -> str:
    return hashlib.sha256(msgspec.json.encode(document)).hexdigest()[:16]


def _write(path: Path, document: Json) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document), indent=1))


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        return read_json(path, dict[str, Any], "")
    except DamagedFile:  # it is made of what others store: it will be written again
        return None
