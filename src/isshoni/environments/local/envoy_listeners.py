"""Envoy's listeners, with and without TLS, and what Envoy's other resources share with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUTES = "isshoni"
TYPES = "type.googleapis.com/envoy"
CERTIFICATE = "public"

Json = dict[str, Any]


@dataclass(frozen=True)
class TlsListener:
    """Where Envoy speaks TLS, and the file with the certificate."""

    host: str
    port: int
    secret: Path


def address(host: str, port: int) -> Json:
    """Return an address as Envoy writes it."""
    return {"socket_address": {"address": host, "port_value": port}}


def watch(path: Path) -> Json:
    """Return a source of configuration: a file that is read again when it is replaced."""
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": str(path),
            "watched_directory": {"path": str(path.parent)},
        },
    }


def plain_listener(host: str, port: int, directory: Path) -> Json:
    """Return the listener without TLS."""
    return _listener("public", host, port, {"filters": [_connection_manager(directory)]})


def tls_listener(tls: TlsListener, directory: Path) -> Json:
    """Return the listener with TLS; its certificate is in a file of its own, and can change."""
    context = {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],  # a WebSocket of HTTP/2 is another protocol
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [
                {"name": CERTIFICATE, "sds_config": watch(tls.secret)}
            ],
        },
    }
    chain = {
        "filters": [_connection_manager(directory)],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }
    return _listener("public_tls", tls.host, tls.port, chain)


def certificate_secret(chain: str, key: str) -> Json:
    """Return the resource with a certificate and its key, both PEM."""
    return {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.Secret",
        "name": CERTIFICATE,
        "tls_certificate": {
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": key},
        },
    }


def _listener(name: str, host: str, port: int, filter_chain: Json) -> Json:
    return {
        "name": name,
        "address": address(host, port),
        "enable_reuse_port": False,  # else two Envoys could listen on one port
        "filter_chains": [filter_chain],
    }


def _connection_manager(directory: Path) -> Json:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": "public",
            "codec_type": "AUTO",
            "use_remote_address": True,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "stream_idle_timeout": "0s",  # the default cuts a quiet socket after 5 minutes
            # By default a client that sends half a request keeps its connection for ever, and one
            # that sends nothing for an hour; a few thousand of them are all that Envoy takes.
            "request_headers_timeout": "10s",
            "common_http_protocol_options": {"idle_timeout": "300s"},
            # How long a client waits for the close when its backend died; the default is 1 s.
            "delayed_close_timeout": "0.02s",
            "rds": {
                "route_config_name": ROUTES,
                "config_source": watch(directory / "routes" / "routes.json"),
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"},
                }
            ],
        },
    }


def connection_limit(max_sockets: int) -> Json:
    """Return the limit on the connections of all listeners together."""
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{TYPES}.extensions.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    "max_active_downstream_connections": max_sockets,
                },
            }
        ]
    }
