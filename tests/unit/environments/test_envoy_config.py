"""The balancer's configuration as values."""

from pathlib import Path
from typing import Any

import pytest

from isshoni.environments.local.balancer_files import BalancerFiles
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
from isshoni.environments.local.open_files import affordable_sockets
from isshoni.rollout.model import Weights

ENDPOINTS = {"blue": Endpoint(1, "/readyz"), "green": Endpoint(2, "/healthz")}


@pytest.fixture
def files(tmp_path: Path) -> BalancerFiles:
    """The balancer's files, written once."""
    files = BalancerFiles(LocalConfig(state_dir=tmp_path), Ports())
    (tmp_path / "balancer").mkdir()
    files.write_bootstrap()
    return files


@pytest.mark.parametrize("share", [0, 1, 50, 99, 100])
def test_weights_are_read_back_as_they_were_written(share: int) -> None:
    weights = Weights(share, 100 - share)
    assert weights_in(routes(weights, "1")["resources"][0]) == weights


@pytest.mark.parametrize(
    "nonsense",
    [{}, {"virtual_hosts": []}, {"virtual_hosts": [{"routes": [{"route": {}}]}]}],
)
def test_a_foreign_configuration_has_no_weights(nonsense: dict[str, Any]) -> None:
    assert weights_in(nonsense) is None


def test_naming_a_colour_comes_before_the_weights() -> None:
    found = routes(Weights(100, 0), "1")["resources"][0]["virtual_hosts"][0]["routes"]
    named = [route["route"].get("cluster") for route in found]
    # Those of probes come first: they are counted apart.
    assert named == ["blue", "green", "blue", "green", None, None]
    assert [route["route"].get("priority") for route in found][:3] == ["HIGH", "HIGH", None]


def test_each_colour_is_checked_on_its_own_path() -> None:
    document = clusters(ENDPOINTS, "1")  # type: ignore[arg-type]
    assert ready_paths_in(document) == {"blue": "/readyz", "green": "/healthz"}


def test_the_limit_on_connections_is_read_back() -> None:
    document = bootstrap(
        host="127.0.0.1", port=1, admin_port=2, directory=Path("/d"), max_sockets=3
    )
    assert max_sockets_in(document) == 3
    assert max_sockets_in({}) is None


@pytest.mark.parametrize(("limit", "sockets"), [(256, 100), (4096, 1548), (1 << 30, 100_000)])
def test_each_connection_takes_two_files_of_the_balancer(limit: int, sockets: int) -> None:
    assert affordable_sockets(limit) == sockets


def test_quiet_sockets_half_requests_and_shared_ports_are_never_the_default() -> None:
    document = bootstrap(
        host="127.0.0.1", port=1, admin_port=2, directory=Path("/d"), max_sockets=3
    )
    listener = document["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert listener["enable_reuse_port"] is False
    assert manager["stream_idle_timeout"] == "0s"
    assert manager["request_headers_timeout"] == "10s"
    assert manager["common_http_protocol_options"] == {"idle_timeout": "300s"}
    assert document["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_an_unchanged_ready_path_rewrites_nothing(files: BalancerFiles) -> None:
    files.write_slot("blue", "/readyz")
    path = files.directory / "clusters" / "clusters.json"
    first = path.stat().st_ino, path.stat().st_mtime_ns
    files.write_slot("green", "/readyz")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == first
    files.write_slot("green", "/healthz")
    files.write_slot("blue", "/up")
    assert '"/healthz"' in path.read_text() and '"/up"' in path.read_text()


def test_weights_that_were_asked_for_are_remembered(files: BalancerFiles) -> None:
    assert files.read_weights() is None
    files.write_weights(Weights(30, 70))
    assert files.read_weights() == Weights(30, 70)
