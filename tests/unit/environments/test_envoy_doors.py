"""The doors of the relay in the balancer's configuration: where WebSockets go, and when."""

import re
from pathlib import Path
from typing import Any

import pytest

from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.envoy_config import Endpoint, clusters, routes, weights_in
from isshoni.environments.local.envoy_doors import RelayDoor, doors_in, routed_doors_in
from isshoni.rollout.model import Colour, Weights

SPREAD = RelayDoor((7, 8), "query:room")
STRAIGHT, RELAYED = Endpoint(1, "/readyz"), Endpoint(2, "/up", door=RelayDoor((7,)))
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
    assert doors_in(document) == {"green": RelayDoor((7,))}


def test_the_health_of_a_door_is_asked_of_its_program() -> None:
    door = cluster_named(clusters({"blue": STRAIGHT, "green": RELAYED}, "1"), "green_door")
    host = door["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert host["address"]["socket_address"]["port_value"] == 7
    assert host["health_check_config"] == {"port_value": 2}
    assert door["health_checks"][0]["http_health_check"]["path"] == "/up"


def test_the_health_of_a_door_of_several_processes_is_asked_through_it() -> None:
    several = Endpoint(2, "/up", Path("/d/green.json"), RelayDoor((7,)))
    door = cluster_named(clusters({"blue": STRAIGHT, "green": several}, "1"), "green_door")
    host = door["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert host["health_check_config"] == {}


def test_a_new_door_is_routed_to_only_once_weights_are_written(files: BalancerFiles) -> None:
    routes_file = files.directory / "routes" / "routes.json"
    files.write_slot("green", "/readyz", door=RelayDoor((9,)))
    assert "door" not in read(routes_file)
    files.write_weights(Weights(90, 10))
    assert "green_door" in read(routes_file)


def test_clusters_that_routes_still_name_are_kept(files: BalancerFiles) -> None:
    clusters_file = files.directory / "clusters" / "clusters.json"
    files.write_slot("green", "/readyz", door=RelayDoor((9,)))
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
    sticky.pop()  # for clients that keep no cookie
    assert [route["route"]["cluster"] for route in sticky] == [
        *("blue", "blue", "blue"),
        *("green_door", "green_door", "green"),
    ]
    upgrades = [UPGRADE[0] in route["match"]["headers"] for route in sticky]
    assert upgrades == [True, False, False] * 2


def test_the_first_request_of_an_engine_io_session_sets_the_cookie() -> None:
    document = routes(Weights(50, 50), "1", doors=["green"])
    setting = [route for route in list_routes(document) if "response_headers_to_add" in route]
    assert len(setting) == 2
    for route in setting:
        assert route["match"]["query_parameters"] == [{"name": "EIO", "present_match": True}]
        assert "weighted_clusters" in route["route"]


def test_a_door_of_several_relays_has_a_host_of_each_with_the_same_hash_key_in_both_slots() -> None:
    doors: dict[Colour, RelayDoor] = {"blue": RelayDoor((5, 6), "query:room"), "green": SPREAD}
    document = clusters({c: Endpoint(1, "/up", door=each) for c, each in doors.items()}, "1")
    assert doors_in(document) == doors
    for colour in doors:
        door = cluster_named(document, f"{colour}_door")
        hosts = door["load_assignment"]["endpoints"][0]["lb_endpoints"]
        keys = [host["metadata"]["filter_metadata"]["envoy.lb"]["hash_key"] for host in hosts]
        assert keys == ["relay-0", "relay-1"]
        # Each relay answers for itself: one that hangs gets no new clients.
        assert [host["endpoint"]["health_check_config"] for host in hosts] == [{}, {}]
        assert door["lb_policy"] == "MAGLEV"


def hashes_of(session_key: str | None) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Return the path, the parameters and the hashes of each route of new WebSockets."""
    document = routes(Weights(50, 50), "1", doors=["blue", "green"], session_key=session_key)
    upgrades = [
        route
        for route in list_routes(document)
        if route["match"].get("headers") == UPGRADE and "weighted_clusters" in route["route"]
        if "response_headers_to_add" not in route
    ]
    return [
        (
            (route["match"].get("path"), bool(route["match"].get("query_parameters"))),
            route["route"].get("hash_policy", []),
        )
        for route in upgrades
    ]


def test_with_one_relay_no_websocket_is_hashed() -> None:
    assert hashes_of(None) == [((None, False), [])]


def test_websockets_are_spread_by_their_path_unless_it_is_the_same_for_all_clients() -> None:
    (root, none), (polled, nothing), (rest, by_path), _ = hashes_of("path")
    assert (root, polled, rest) == (("/", False), (None, True), (None, False))
    assert none == nothing == []
    assert by_path[0]["header"]["header_name"] == ":path"


@pytest.mark.parametrize(
    ("key", "policy"),
    [
        ("query:room", {"query_parameter": {"name": "room"}}),
        ("cookie:room", {"cookie": {"name": "room"}}),
        ("header:X-Room", {"header": {"header_name": "X-Room"}}),
    ],
)
def test_websockets_are_spread_by_what_the_session_key_names_else_by_their_path(
    key: str, policy: dict[str, Any]
) -> None:
    (_, at_root), (_, polled), (_, rest), _ = hashes_of(key)
    assert at_root == polled == [{**policy, "terminal": True}]
    assert rest[0] == {**policy, "terminal": True}
    assert rest[1]["header"]["header_name"] == ":path"


def find_hashed(session_key: str, path: str) -> str:
    """Return the part of a path that the first hash of a route is made of."""
    (*_, (_, policies), _) = hashes_of(session_key)
    rewrite = policies[0]["header"]["regex_rewrite"]
    return re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], path)


def test_a_path_is_hashed_without_its_query_and_a_segment_alone() -> None:
    assert find_hashed("path", "/ws/room?token=1") == "/ws/room"
    assert find_hashed("segment:2", "/ws/room/anna?token=1") == "room"
    assert find_hashed("segment:1", "//ws/room") == "ws"
    # Envoy refuses the pattern of a deeper one.
    assert find_hashed("segment:99", "/ws/room?token=1") == "/ws/room"


def test_another_number_of_relays_is_written_for_both_doors_and_their_routes_at_once(
    files: BalancerFiles,
) -> None:
    routes_file = files.directory / "routes" / "routes.json"
    files.write_slot("blue", "/readyz", door=RelayDoor((5,)))
    files.write_slot("green", "/readyz", door=RelayDoor((7,)))
    files.write_weights(Weights(90, 10))
    assert "hash_policy" not in read(routes_file)
    files.write_slot("green", "/readyz", door=RelayDoor((7, 8)), other_ports=(5, 6))
    assert files.read_doors() == {"blue": RelayDoor((5, 6)), "green": RelayDoor((7, 8))}
    assert "hash_policy" in read(routes_file)
    files.write_slot("green", "/readyz", door=RelayDoor((7,)), other_ports=(5,))
    assert "hash_policy" not in read(routes_file)


def test_the_slot_with_more_weight_says_by_what_sessions_are_spread(files: BalancerFiles) -> None:
    routes_file = files.directory / "routes" / "routes.json"
    files.write_slot("blue", "/readyz", door=RelayDoor((5, 6), "query:old"), other_ports=(7, 8))
    files.write_slot("green", "/readyz", door=RelayDoor((7, 8), "query:new"), other_ports=(5, 6))
    files.write_weights(Weights(90, 10))
    assert '"name": "old"' in read(routes_file)
    files.write_weights(Weights(0, 100))
    assert '"name": "new"' in read(routes_file)


def test_what_polling_clients_send_goes_to_the_doors_and_is_not_sent_twice() -> None:
    document = routes(Weights(30, 70), "1", doors=["blue", "green"])
    sends = [
        route
        for route in list_routes(document)
        if any(h["name"] == ":method" for h in route["match"].get("headers", ()))
    ]
    assert [r["route"].get("cluster") for r in sends[:2]] == ["blue_door", "green_door"]
    by_weight = sends[2]["route"]
    assert [c["name"] for c in by_weight["weighted_clusters"]["clusters"]] == [
        "blue_door_first",
        "green_door_first",
    ]
    assert "5xx" not in by_weight["retry_policy"]["retry_on"]
