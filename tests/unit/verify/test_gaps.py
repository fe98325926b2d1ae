"""Connection timelines, gaps, and which part is at fault for long ones."""

import pytest

from isshoni.verify.attribution import Part, Probe, ProbeOutcome, attribute, explain
from isshoni.verify.gaps import (
    ConnectionTimeline,
    Cut,
    Span,
    calculate_gap_ms,
    count_by_colour,
    deploy_windows,
)


def _timeline() -> ConnectionTimeline:
    timeline = ConnectionTimeline()
    timeline.record_restored(1.0, "blue", "v1")
    return timeline


def test_a_move_leaves_no_gap() -> None:
    timeline = _timeline()
    timeline.record_restored(4.0, "green", "v2")
    timeline.end(9.0)
    assert timeline.spans == [Span(1.0, 4.0, "blue", "v1"), Span(4.0, 9.0, "green", "v2")]
    assert timeline.cuts == []


def test_a_loss_is_a_gap_until_the_next_restore() -> None:
    timeline = _timeline()
    timeline.record_lost(4.0, 1012)
    timeline.record_restored(4.5, "green", "v2")
    timeline.end(9.0)
    assert timeline.cuts == [Cut(4.0, 4.5, True, "blue", 1012)]
    assert calculate_gap_ms(timeline, [(0.0, 9.0)]) == pytest.approx(500)


def test_a_gap_that_never_ended_lasts_to_the_end_of_the_run() -> None:
    timeline = _timeline()
    timeline.record_lost(4.0, 1006)
    timeline.end(9.0)
    assert timeline.cuts == [Cut(4.0, 9.0, False, "blue", 1006)]


def test_time_before_the_first_restore_is_no_gap() -> None:
    timeline = ConnectionTimeline()
    timeline.record_lost(0.5, 1006)
    timeline.record_restored(3.0, "blue", "v1")
    timeline.end(5.0)
    assert timeline.cuts == []


@pytest.mark.spec("E2")
def test_the_gap_is_the_sum_of_cuts_in_the_worst_deploy() -> None:
    timeline = _timeline()
    for at in (12.0, 14.0, 22.0):
        timeline.record_lost(at, 1012)
        timeline.record_restored(at + 1, "green", "v2")
    timeline.end(30.0)
    windows = deploy_windows([10.0, 20.0], 30.0)
    assert windows == [(0.0, 10.0), (10.0, 20.0), (20.0, 30.0)]
    assert calculate_gap_ms(timeline, windows) == pytest.approx(2000)


def test_connections_are_counted_per_colour() -> None:
    timeline = _timeline()
    timeline.record_restored(4.0, "green", "v2")
    timeline.end(9.0)
    assert count_by_colour([timeline]) == [
        (1.0, {"blue": 1}),
        (4.0, {"blue": 0, "green": 1}),
        (9.0, {"blue": 0, "green": 0}),
    ]


@pytest.mark.spec("E3")
@pytest.mark.parametrize(
    ("outcome", "close_code", "part"),
    [
        (ProbeOutcome.REFUSED, 1006, Part.BALANCER),
        (ProbeOutcome.TURNED_AWAY, 1012, Part.DRAIN),
        (ProbeOutcome.NOT_READY, 1012, Part.REDIS),
        (ProbeOutcome.SILENT, 1006, Part.BACKEND),
        (ProbeOutcome.RESTORED, 1012, Part.RECONNECT),
    ],
)
def test_a_long_cut_is_attributed_to_the_part_that_the_prober_met(
    outcome: ProbeOutcome, close_code: int, part: Part
) -> None:
    cut = Cut(10.0, 25.0, True, "blue", close_code)
    probes = [Probe(at, outcome, "503") for at in (1.0, 11.0, 13.0, 40.0)]
    assert attribute(cut, probes) is part
    assert str(part) in explain(cut, probes, part)


def test_a_cut_that_was_not_probed_has_no_known_cause() -> None:
    cut = Cut(10.0, 25.0, False, "blue", 1006)
    assert attribute(cut, []) is Part.UNKNOWN
    assert "never came back" in explain(cut, [], Part.UNKNOWN)
