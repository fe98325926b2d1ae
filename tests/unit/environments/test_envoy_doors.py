"""The doors of the relay in the balancer's configuration: where WebSockets go, and when."""

from pathlib import Path
from typing import Any

import pytest

from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.envoy_config import Endpoint, clusters, routes, weights_in
from isshoni.environments.local.envoy_doors import doors_in, routed_doors_in
from isshoni.rollout.model import Weights

STRAIGHT, RELAYED = Endpoint(1, "/readyz"), Endpoint(2, "/up", door=7)
UPGRADE = [{"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}]


def list_routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["resources"][0]["virtual_hosts"][0]["routes"]
    return found


def cluster_named(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in document["resources"] if c["name"] == name)


@pytest.fixture
def files(tmp_path: Path) -> BalancerFiles:
    """The balancer's files, with all weight on blue."""
    files = BalancerFiles(LocalConfig(state_dir=tmp_path), Ports())
    (tmp_path / "balancer").mkdir()
    files.write_bootstrap()
    files.write_slot("blue", "/readyz")
    files.write_weights(Weights(100, 0))
    return files


def read(path: Path) -> str:
    return path.read_text()


def test_without_a_relay_no_cluster_and_no_route_changes() -> None:
    plain = clusters({"blue": STRAIGHT, "green": STRAIGHT}, "1")
    assert [c["name"] for c in plain["resources"]] == ["blue", "green", "blue_first", "green_first"]
    assert doors_in(plain) == {}
    assert "door" not in str(routes(Weights(50, 50), "1"))


def test_upgrades_go_to_the_doors_by_weight_and_all_else_straight_to_the_programs() -> None:
    document = routes(Weights(30, 70), "1", doors=["green"])
    upgrades, others = list_routes(document)[-2:]
    assert upgrades["match"]["headers"] == UPGRADE
    assert [c["name"] for c in upgrades["route"]["weighted_clusters"]["clusters"]] == [
        "blue_door_first",
        "green_door_first",
    ]
    assert [c["name"] for c in others["route"]["weighted_clusters"]["clusters"]] == [
        "blue_first",
        "green_first",
    ]
    assert weights_in(document["resources"][0]) == Weights(30, 70)


def test_an_upgrade_that_names_a_relayed_slot_goes_to_its_door() -> None:
    document = routes(Weights(100, 0), "1", doors=["green"])
    first = list_routes(document)[0]
    assert first["route"]["cluster"] == "green_door"
    assert first["match"]["headers"] == UPGRADE
    assert routed_doors_in(document["resources"][0]) == ["green"]


def test_a_slot_without_a_relay_is_behind_the_preferences_of_doors_itself() -> None:
    document = clusters({"blue": STRAIGHT, "green": RELAYED}, "1")
    wanted = cluster_named(document, "blue_door_first")["cluster_type"]["typed_config"]["clusters"]
    assert wanted == ["blue", "green_door"]
    assert doors_in(document) == {"green": 7}


def test_the_health_of_a_door_is_asked_of_its_program() -> None:
    door = cluster_named(clusters({"blue": STRAIGHT, "green": RELAYED}, "1"), "green_door")
    host = door["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert host["address"]["socket_address"]["port_value"] == 7
    assert host["health_check_config"] == {"port_value": 2}
    assert door["health_checks"][0]["http_health_check"]["path"] == "/up"


def test_the_health_of_a_door_of_several_processes_is_asked_through_it() -> None:
    several = Endpoint(2, "/up", Path("/d/green.json"), door=7)
    door = cluster_named(clusters({"blue": STRAIGHT, "green": several}, "1"), "green_door")
    host = door["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert host["health_check_config"] == {}


def test_a_new_door_is_routed_to_only_once_weights_are_written(files: BalancerFiles) -> None:
    routes_file = files.directory / "routes" / "routes.json"
    files.write_slot("green", "/readyz", door=9)
    assert "door" not in read(routes_file)
    files.write_weights(Weights(90, 10))
    assert "green_door" in read(routes_file)


def test_clusters_that_routes_still_name_are_kept(files: BalancerFiles) -> None:
    clusters_file = files.directory / "clusters" / "clusters.json"
    files.write_slot("green", "/readyz", door=9)
    files.write_weights(Weights(0, 100))
    files.write_slot("green", "/readyz")
    assert "blue_door_first" in read(clusters_file)
    files.write_weights(Weights(100, 0))
    assert "door" not in read(files.directory / "routes" / "routes.json")
    files.write_slot("blue", "/up")
    assert "door" not in read(clusters_file)


def test_requests_of_an_engine_io_session_go_to_the_slot_of_their_cookie() -> None:
    document = routes(Weights(50, 50), "1", doors=["green"])
    sticky = [
        route
        for route in list_routes(document)
        if any(p["name"] == "sid" for p in route["match"].get("query_parameters", ()))
    ]
    assert [route["route"]["cluster"] for route in sticky] == [
        "blue",
        "blue",
        "green_door",
        "green",
    ]
    assert [UPGRADE[0] in route["match"]["headers"] for route in sticky] == [True, False] * 2


def test_the_first_request_of_an_engine_io_session_sets_the_cookie() -> None:
    document = routes(Weights(50, 50), "1", doors=["green"])
    setting = [route for route in list_routes(document) if "response_headers_to_add" in route]
    assert len(setting) == 2
    for route in setting:
        assert route["match"]["query_parameters"] == [{"name": "EIO", "present_match": True}]
        assert "weighted_clusters" in route["route"]
