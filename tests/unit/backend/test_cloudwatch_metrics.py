"""Metrics for CloudWatch in its Embedded Metric Format."""

import json
from typing import Any

import pytest

from isshoni.backend.metrics.cloudwatch_metrics import EmbeddedMetrics, seconds_until_next
from isshoni.backend.metrics.counters import Counters


class Measured:
    """What a process measures of itself, as the test sets it."""

    def __init__(self) -> None:
        self.counted = Counters()
        self.open = 0
        self.short = 0

    def counters(self) -> dict[str, int]:
        return {**vars(self.counted), "writes_short_of_replicas": self.short}

    def gauges(self) -> dict[str, float]:
        return {"pubsub_lag_ms": 1.5}

    def connections(self) -> tuple[int, int]:
        return self.open, 1


@pytest.mark.spec("A8")
def test_open_connections_are_a_metric_by_colour_in_our_namespace() -> None:
    measured = Measured()
    measured.open = 12
    embedded = EmbeddedMetrics(measured, "Isshoni", "green")  # type: ignore[arg-type]
    line: dict[str, Any] = json.loads(embedded.take_line(1_000.5))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == 1_000_500
    assert (directive["Namespace"], directive["Dimensions"]) == ("Isshoni", [["Colour"]])
    assert {"Name": "ActiveWebSocketConnections", "Unit": "Count"} in directive["Metrics"]
    assert (line["Colour"], line["ActiveWebSocketConnections"]) == ("green", 12)
    assert all(metric["Name"] in line for metric in directive["Metrics"])


@pytest.mark.spec("A8")
def test_metrics_of_two_environments_in_one_account_can_be_told_apart() -> None:
    embedded = EmbeddedMetrics(Measured(), "Isshoni", "green", "chat-eu")  # type: ignore[arg-type]
    line: dict[str, Any] = json.loads(embedded.take_line(0.0))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Colour"], ["Environment", "Colour"]]
    assert (line["Environment"], line["Colour"]) == ("chat-eu", "green")


def test_what_one_line_counted_the_next_does_not() -> None:
    measured = Measured()
    embedded = EmbeddedMetrics(measured, "Isshoni", "green")  # type: ignore[arg-type]
    measured.counted.restores = 5
    assert json.loads(embedded.take_line(0.0))["Restores"] == 5
    measured.counted.restores = 7
    assert json.loads(embedded.take_line(60.0))["Restores"] == 2


def test_writes_on_too_few_replicas_are_a_metric_for_an_alarm() -> None:
    measured = Measured()
    embedded = EmbeddedMetrics(measured, "Isshoni", "green")  # type: ignore[arg-type]
    assert json.loads(embedded.take_line(0.0))["WritesShortOfReplicas"] == 0
    measured.short = 3
    assert json.loads(embedded.take_line(60.0))["WritesShortOfReplicas"] == 3


def test_process_of_one_of_two_regions_reports_whether_it_stands_by() -> None:
    states = iter((True, False))
    embedded = EmbeddedMetrics(
        Measured(),  # type: ignore[arg-type]
        "Isshoni",
        "green",
        stands_by=lambda: next(states),
    )
    assert json.loads(embedded.take_line(0.0))["StandbyProcesses"] == 1
    assert json.loads(embedded.take_line(60.0))["StandbyProcesses"] == 0


def test_process_without_regions_reports_nothing_about_standing_by() -> None:
    embedded = EmbeddedMetrics(Measured(), "Isshoni", "green")  # type: ignore[arg-type]
    assert "StandbyProcesses" not in json.loads(embedded.take_line(0.0))


@pytest.mark.parametrize(("now", "seconds"), [(0.0, 30.0), (29.0, 1.0), (30.0, 60.0), (59.0, 31.0)])
def test_a_line_is_written_in_the_middle_of_each_minute(now: float, seconds: float) -> None:
    assert seconds_until_next(now) == seconds
