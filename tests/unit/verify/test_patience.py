"""Waiting goes on as long as there is progress, and ends where there is none."""

from collections.abc import Iterator
from itertools import count

import pytest

from isshoni.verify import patience
from isshoni.verify.patience import wait_while_progressing


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    monkeypatch.setattr(patience, "asyncio", made)
    yield made


async def wait(clock: Clock, done_at: float, stops_at: float) -> bool:
    steps = count()
    return await wait_while_progressing(
        lambda: clock.now >= done_at,
        lambda: next(steps) if clock.now < stops_at else -1,
        patience_seconds=5.0,
        longest_seconds=40.0,
        poll_seconds=0.5,
    )


async def test_slow_platform_is_waited_for_as_long_as_it_progresses(clock: Clock) -> None:
    assert await wait(clock, done_at=30.0, stops_at=30.0)
    assert clock.now == 30.0


async def test_wait_ends_when_nothing_progresses(clock: Clock) -> None:
    assert not await wait(clock, done_at=1e9, stops_at=10.0)
    assert 15.0 <= clock.now <= 16.0


async def test_wait_ends_in_any_case(clock: Clock) -> None:
    assert not await wait(clock, done_at=1e9, stops_at=1e9)
    assert 40.0 <= clock.now <= 41.0
