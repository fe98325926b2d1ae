"""Percentiles of the last seconds."""

from isshoni.backend.metrics.recent import RecentValues


def test_one_outlier_in_two_hundred_is_no_trend() -> None:
    recent = RecentValues(clock=lambda: 0.0)
    for _ in range(199):
        recent.add(1.0)
    recent.add(99.0)
    assert (recent.percentile(99), recent.percentile(100)) == (1.0, 99.0)


def test_old_values_are_forgotten() -> None:
    now = [0.0]
    recent = RecentValues(window_seconds=3.0, clock=lambda: now[0])
    recent.add(9.0)
    now[0] = 2.0
    recent.add(1.0)
    assert recent.percentile(99) == 9.0
    now[0] = 4.0
    assert recent.percentile(99) == 1.0
    now[0] = 9.0
    assert recent.percentile(99) == 0.0
