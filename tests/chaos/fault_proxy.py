"""A TCP proxy in front of Redis, so that the network between can be broken.

It is Envoy's `tcp_proxy`: maintained, and pinned with its hash among our dependencies
already. The others were no choice for a test that runs wherever the project does:
toxiproxy is a Go program that no registry of ours carries, `tc netem` needs root and a
network namespace. Envoy's own fault filters know HTTP, and Redis without pub/sub, so the
faults come from outside, by signals to the proxy: SIGKILL cuts every connection and
refuses new ones until the supervisor has it back; SIGSTOP is a black hole, in which the
kernel accepts connections and bytes and no answer comes; SIGSTOP in pulses is a slow link.
"""

from pathlib import Path
from typing import Any

import msgspec

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.envoy import find_envoy
from isshoni.environments.local.programs import Program

_TYPES = "type.googleapis.com/envoy"


def fault_proxy_program(
    config: LocalConfig, *, listen_port: int, to_port: int, log: Path
) -> Program:
    """Write the proxy's configuration and describe its process."""
    path = config.state_dir / "fault_proxy.json"
    path.write_bytes(msgspec.json.encode(_bootstrap(listen_port, to_port)))
    options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    return Program(
        command=[str(find_envoy(config)), "-c", str(path), *options],
        log=str(log),
        stop_seconds=config.stop_seconds,
    )


def _bootstrap(listen_port: int, to_port: int) -> dict[str, Any]:
    proxy = {
        "@type": f"{_TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "redis",
        "cluster": "redis",
        "idle_timeout": "0s",
    }
    filters = [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]
    listener = {
        "name": "redis",
        "address": _address(listen_port),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": filters}],
    }
    endpoint = {"endpoint": {"address": _address(to_port)}}
    cluster = {
        "name": "redis",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "redis",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
