"""Closes of clients that cannot be moved are spread over the time that they have."""

from itertools import pairwise

import pytest

from isshoni.relay.core.close_spread import CloseSpread

BEGAN, OVER = 1000.0, 100.0


def close_all(spread: CloseSpread, count: int, turn_seconds: float = 0.5) -> list[float]:
    """Close as the spread allows it; return when each client was closed."""
    closed: list[float] = []
    now = BEGAN
    while len(closed) < count:
        while len(closed) < count and spread.allow(now, count - len(closed)):
            closed.append(now - BEGAN)
        now += turn_seconds
    return closed


@pytest.mark.parametrize("count", [1, 2, 7, 100, 5000])
def test_closes_come_evenly_and_before_the_time_is_over(count: int) -> None:
    closed = close_all(CloseSpread(BEGAN, OVER), count)
    assert closed[-1] == 90.0
    assert closed[0] <= 90.0 / count + 0.5
    gaps = [later - earlier for earlier, later in pairwise(closed)]
    assert all(gap <= 90.0 / count + 0.5 for gap in gaps)


def test_no_more_are_closed_in_a_turn_than_it_is_long() -> None:
    closed = close_all(CloseSpread(BEGAN, OVER), 1000)
    assert max(closed.count(moment) for moment in set(closed)) <= 0.5 * 1000 / 90.0 + 1


def test_those_that_come_late_are_closed_in_the_rest_of_the_time() -> None:
    spread = CloseSpread(BEGAN, OVER)
    assert not spread.allow(BEGAN + 44.0, 1)
    assert spread.allow(BEGAN + 46.0, 2)
    assert not spread.allow(BEGAN + 60.0, 2)
    assert spread.allow(BEGAN + 90.0, 1)


def test_after_its_end_all_may_be_closed() -> None:
    spread = CloseSpread(BEGAN, OVER)
    assert all(spread.allow(BEGAN + 95.0, remaining) for remaining in range(10, 0, -1))


def test_a_time_of_a_day_closes_no_client_in_minutes() -> None:
    spread = CloseSpread(BEGAN, 86_400.0)
    assert not any(spread.allow(BEGAN + seconds, 100) for seconds in range(600))
