"""Slots with several processes: names, ports, the balancer's files, and the joined status."""

import re
from pathlib import Path

import pytest

from isshoni.environments.counters import GrowingCounters
from isshoni.environments.joined_status import join_proofs, join_statuses
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports, count_cores
from isshoni.environments.local.envoy_config import routes, weights_in
from isshoni.environments.local.envoy_processes import ProcessEndpoint
from isshoni.environments.local.port_allocation import PortBook, allocate_ports
from isshoni.environments.local.process_names import SlotProcess, list_processes, parse_process
from isshoni.rollout.model import BackendStatus, Proof, Weights

PAIR = (ProcessEndpoint("blue-0", 8083), ProcessEndpoint("blue-1", 9001))


@pytest.fixture
def files(tmp_path: Path) -> BalancerFiles:
    """The balancer's files, written once."""
    files = BalancerFiles(LocalConfig(state_dir=tmp_path), Ports())
    (tmp_path / "balancer").mkdir()
    files.write_bootstrap()
    return files


def test_the_first_process_keeps_the_program_of_its_slot() -> None:
    assert [p.program for p in list_processes("green", 3)] == ["green", "green-1", "green-2"]
    assert [p.name for p in list_processes("green", 3)] == ["green-0", "green-1", "green-2"]
    assert parse_process("green") == parse_process("green-0") == SlotProcess("green")
    assert [parse_process(text) for text in ("yellow", "green-", "green-x", "redis")] == [None] * 4


@pytest.mark.parametrize("value", [0, 33, -1, 1.5, "two", True])
def test_a_number_of_processes_that_cannot_be_is_refused_with_what_can(value: object) -> None:
    with pytest.raises(ValueError, match="a whole number from 1 to 32"):
        LocalConfig(processes=value)  # type: ignore[arg-type]


def test_auto_is_one_process_for_each_core() -> None:
    assert LocalConfig(processes="auto").process_count == min(32, count_cores())
    assert LocalConfig(processes=3).process_count == 3


def test_ports_of_further_processes_are_chosen_once_and_kept(tmp_path: Path) -> None:
    config = LocalConfig(state_dir=tmp_path)
    first = PortBook(config, Ports())
    assert first.of(SlotProcess("blue")) == (8083, 8084)
    chosen = [first.of(each) for each in list_processes("blue", 3)]
    assert len({port for ports in chosen for port in ports}) == 6
    allocate_ports(config)  # as an earlier version does it, which knows no processes
    assert [PortBook(config, Ports()).of(each) for each in list_processes("blue", 3)] == chosen


def test_a_process_that_a_request_names_comes_before_everything_else() -> None:
    found = routes(Weights(30, 70), "1", ["blue-0", "blue-1"])["resources"][0]
    listed = found["virtual_hosts"][0]["routes"]
    values = [route["match"].get("query_parameters", [{}])[0] for route in listed[:2]]
    assert [value["string_match"]["exact"] for value in values] == ["blue-0", "blue-1"]
    assert weights_in(found) == Weights(30, 70)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/ws/s-1", "s-1"),
        ("/ws/s-1?target=green&ticket=a/b", "s-1"),
        ("/sessions/s-1/export/chat.txt", "s-1"),
        ("/sessions/s-1?token=x", "s-1"),
    ],
)
def test_paths_of_one_session_are_hashed_alike(path: str, key: str) -> None:
    found = routes(Weights(100, 0), "1", ["blue-0", "blue-1"])["resources"][0]
    listed = found["virtual_hosts"][0]["routes"]
    matching = [route for route in listed if path.startswith(route["match"]["prefix"])]
    hashed = next(route["route"] for route in matching if "hash_policy" in route["route"])
    rewrite = hashed["hash_policy"][0]["header"]["regex_rewrite"]
    pattern, by = rewrite["pattern"]["regex"], rewrite["substitution"]
    assert re.sub(pattern, by, path) == key


def test_paths_of_no_session_are_not_hashed() -> None:
    found = routes(Weights(100, 0), "1", ["blue-0", "blue-1"])["resources"][0]
    plain = [r for r in found["virtual_hosts"][0]["routes"] if r["match"]["prefix"] == "/"]
    assert plain and not any("hash_policy" in route["route"] for route in plain)


def test_taking_a_process_out_rewrites_neither_clusters_nor_routes(files: BalancerFiles) -> None:
    files.write_weights(Weights(100, 0))
    files.write_slot("blue", "/readyz", PAIR)
    others = [files.directory / name for name in ("clusters/clusters.json", "routes/routes.json")]
    before = [path.stat().st_ino for path in others]
    draining = [PAIR[0], ProcessEndpoint("blue-1", 9001, draining=True)]
    assert files.write_endpoints("blue", draining)
    assert files.read_endpoints("blue") == tuple(draining)
    assert [path.stat().st_ino for path in others] == before


def test_a_slot_goes_from_several_processes_to_one_and_leaves_nothing(files: BalancerFiles) -> None:
    files.write_weights(Weights(100, 0))
    files.write_slot("blue", "/readyz")
    names = ("clusters/clusters.json", "routes/routes.json")
    alone = [(files.directory / name).read_bytes() for name in names]
    files.write_slot("blue", "/readyz", PAIR)
    assert [(files.directory / name).read_bytes() for name in names] != alone
    files.write_slot("blue", "/readyz")
    assert [(files.directory / name).read_bytes() for name in names] == alone


def a_status(**changes: object) -> BackendStatus:
    whole: dict[str, object] = {
        "version": "v1", "ready": True, "draining": False, "connections": 2, "sessions": 1,
        "gauges": {"cpu_pct": 10.0}, "pid": 7, **changes,
    }  # fmt: skip
    return BackendStatus(**whole)  # type: ignore[arg-type]


def test_a_process_that_does_not_answer_is_named_and_the_others_count() -> None:
    joined = join_statuses({"blue-0": a_status(), "blue-1": None}, GrowingCounters())
    assert joined is not None and not joined.ready
    assert joined.not_ready_reason == "blue-1: it does not answer on its admin port"
    assert joined.connections == 2
    assert [(each.name, each.pid, each.ready) for each in joined.processes] == [
        ("blue-0", 7, True),
        ("blue-1", None, False),
    ]


def test_counters_of_a_process_that_is_silent_once_are_not_added_twice() -> None:
    growing = GrowingCounters()
    busy = a_status(counters={"restores": 5}, histograms={"ack_seconds": {"+Inf": 5}})
    for second in (busy, None, busy):
        joined = join_statuses({"blue-0": busy, "blue-1": second}, growing)
        assert joined is not None
        assert joined.counters == {"restores": 10}
        assert joined.histograms == {"ack_seconds": {"+Inf": 10}}
    restarted = a_status(counters={}, histograms={})
    joined = join_statuses({"blue-0": busy, "blue-1": restarted}, growing)
    joined = join_statuses({"blue-0": busy, "blue-1": busy}, growing)
    assert joined is not None and joined.counters == {"restores": 15}


def test_a_proof_that_fails_names_its_process() -> None:
    good = Proof(redis=True, sampled=2, readable=2)
    hung = Proof(redis=False, sampled=0, readable=0, fault="no answer")
    unread = Proof(redis=True, sampled=2, readable=1, unreadable=("s",), fault="s: damaged")
    assert join_proofs({"blue-0": good, "blue-1": good}) == good
    assert join_proofs({"blue-0": hung}).fault == "no answer"
    assert join_proofs({"blue-0": good, "blue-1": hung}).fault == "blue-1: no answer"
    seen = join_proofs({"blue-0": hung, "blue-1": unread})
    assert (seen.fault, seen.unreadable) == ("blue-1: s: damaged", ("s",))


def test_a_slot_of_which_no_process_answers_has_no_status() -> None:
    assert join_statuses({"blue-0": None, "blue-1": None}, GrowingCounters()) is None


def test_the_fullest_process_decides_how_long_a_shared_rate_takes() -> None:
    statuses = {"blue-0": a_status(connections=10), "blue-1": a_status(connections=30)}
    joined = join_statuses(statuses, GrowingCounters())
    assert joined is not None
    assert (joined.connections, joined.most_connections) == (40, 60)
