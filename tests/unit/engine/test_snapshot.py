"""What `status` and the dashboard show of a colour in trouble."""

import pytest

from isshoni.cli.panel import list_troubles
from isshoni.engine.snapshot import show_observation
from isshoni.rollout.model import BackendStatus, Observation, SlotState, Weights


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
