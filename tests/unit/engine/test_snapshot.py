"""What `status` and the dashboard show of a colour in trouble."""

from dataclasses import replace

import pytest

from isshoni.cli.output import describe_process, list_several
from isshoni.cli.panel import list_troubles
from isshoni.engine.snapshot import show_observation
from isshoni.rollout.model import (
    BackendStatus,
    Observation,
    ProcessStatus,
    SlotState,
    TrafficSample,
    Weights,
)


def observe(status: BackendStatus | None) -> Observation:
    slots = {"blue": SlotState(running=True), "green": SlotState()}
    return Observation(slots, Weights(100, 0), {}, {"blue": status, "green": None})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "limit", "draining", "shown"),
    [
        (None, None, False, []),
        ("Redis: no answer in 2 s", None, False, ["blue: Redis: no answer in 2 s"]),
        (None, "to draw failed: OOM", False, ["blue: nothing can be saved: to draw failed: OOM"]),
        ("draining", None, True, []),
    ],
)
def test_the_reason_that_a_backend_knows_is_shown(
    reason: str | None, limit: str | None, draining: bool, shown: list[str]
) -> None:
    status = BackendStatus(
        "v1", reason is None, draining, 0, 0, not_ready_reason=reason, limit=limit
    )
    assert list_troubles(show_observation(observe(status))) == shown


def test_a_program_without_admin_api_has_no_reason_to_show() -> None:
    assert list_troubles(show_observation(observe(None))) == []


def test_connections_that_were_refused_for_want_of_room_are_shown_with_the_limit() -> None:
    counters, gauges = {"refused_full": 200}, {"open_files_limit": 256.0}
    full = BackendStatus("v1", True, False, 0, 0, counters=counters, gauges=gauges)
    (line,) = list_troubles(show_observation(observe(full)))
    assert "blue refused 200 connections" in line
    assert "limit of open files is 256" in line
    earlier = BackendStatus("v0", True, False, 0, 0)  # knew of no such gauge
    assert list_troubles(show_observation(observe(earlier))) == []


def test_processes_are_listed_where_a_slot_has_several_with_their_states() -> None:
    processes = (
        ProcessStatus("blue-0", pid=7, version="v1", ready=True, connections=5, cpu_pct=12.34),
        ProcessStatus("blue-1", version="v1", ready=True, evacuated=True),
        ProcessStatus("blue-2", reason="it does not answer on its admin port"),
    )
    seen = show_observation(observe(BackendStatus("v1", True, False, 5, 1, processes=processes)))
    shown = list_several(seen)
    assert [describe_process(each) for each in shown] == [
        "ready",
        "evacuated",
        "it does not answer on its admin port",
    ]
    assert (shown[0]["pid"], shown[0]["connections"], shown[0]["cpu_pct"]) == (7, 5, 12.3)


def test_the_only_process_of_a_slot_is_not_listed_beside_it() -> None:
    alone = (ProcessStatus("blue-0", version="v1", ready=True),)
    seen = show_observation(observe(BackendStatus("v1", True, False, 5, 1, processes=alone)))
    assert list_several(seen) == []


def test_requests_of_probes_to_another_program_are_no_clients() -> None:
    seen = observe(BackendStatus("v1", True, False, 14, 3, relayed=True))
    seen = replace(seen, traffic={"blue": TrafficSample(open_connections=9, probe_requests=8)})
    blue = show_observation(seen)["colours"]["blue"]
    assert (blue["connections"], blue["clients"]) == (23, 15)


@pytest.mark.parametrize(
    ("gauges", "clients"),
    [({}, 14), ({"probe_connections": 12.0}, 2), ({"probe_connections": 0.0}, 14)],
)
def test_connections_of_probes_are_no_clients(gauges: dict[str, float], clients: int) -> None:
    status = BackendStatus("v1", True, False, 14, 3, gauges=gauges)
    seen = observe(status)
    blue = show_observation(seen)["colours"]["blue"]
    assert (blue["connections"], blue["clients"]) == (14, clients)
