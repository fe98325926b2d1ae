"""Percentiles are exact, and latencies fall into the right windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.verify.latency import LatencySeries
from isshoni.verify.percentiles import Percentiles, calculate_percentiles, percentile


def test_nearest_rank_gives_values_that_were_seen() -> None:
    found = calculate_percentiles(range(1, 101))
    assert found == Percentiles(p50=50, p99=99, max=100, count=100)


def test_no_values_give_none() -> None:
    assert calculate_percentiles([]) == Percentiles()


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.001, 1))
def test_at_least_the_share_does_not_exceed_a_percentile(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert found in ordered


def test_messages_are_judged_by_when_they_were_sent() -> None:
    series = LatencySeries()
    series.record(1.0, 1.002)
    series.record(5.0, 5.5)
    moving = [(4.0, 6.0)]
    assert series.within(moving).p50 == pytest.approx(500)
    assert series.outside(moving).p50 == pytest.approx(2, rel=1e-3)
    assert [(bucket.at, bucket.count) for bucket in series.buckets(1.0)] == [(1.0, 1), (5.0, 1)]
