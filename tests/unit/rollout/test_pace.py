"""The pace of a move, against simulated backends that it loads."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.rollout.pace import (
    FLOOR_SHARE,
    TURN_SECONDS,
    Signal,
    adjust_rate,
    list_signals,
    start_rate,
)
from isshoni.rollout.plan import PaceLimits

LIMITS = PaceLimits()
CEILING = 1000.0
STEP_SECONDS = 0.1


@dataclass
class Backend:
    """One core: restores queue for it behind a base load; an M/D/1 queue, as a fluid.

    Its CPU is told as the mean of the last second, restores as the wait of the last
    ones: both late, as in a real one.
    """

    capacity_per_second: float
    base: Callable[[float], float]
    now: float = 0.0
    queue: float = 0.0
    busy: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    worst_lag_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    def run(self, rate: float) -> None:
        """Let a turn pass at this rate."""
        for _ in range(round(TURN_SECONDS / STEP_SECONDS)):
            base = self.base(self.now)
            free = self.capacity_per_second * max(0.02, 1 - base) * STEP_SECONDS
            arrived = self.queue + rate * STEP_SECONDS
            served = min(arrived, free)
            self.queue = arrived - served
            used = min(1.0, base + served / (self.capacity_per_second * STEP_SECONDS))
            self.busy.append(100 * used)
            self.worst_lag_ms.append(2 / max(0.02, 1 - used))
            self.now += STEP_SECONDS

    @property
    def cpu_pct(self) -> float:
        return sum(self.busy) / len(self.busy)

    def gauges(self) -> Mapping[str, float]:
        free = self.capacity_per_second * max(0.02, 1 - self.base(self.now))
        return {
            "cpu_pct": self.cpu_pct,
            "restore_ms": 1000 * (self.queue + 1) / free,
            "event_loop_lag_ms": max(self.worst_lag_ms),
            "redis_latency_ms": 1.0,
        }


def drive(backend: Backend, turns: int, ceiling: float = CEILING) -> list[tuple[float, float]]:
    """Give rate and CPU, turn by turn."""
    rate, seen = start_rate(ceiling), []
    for _ in range(turns):
        backend.run(rate)
        seen.append((rate, backend.cpu_pct))
        rate = adjust_rate(rate, backend.gauges(), LIMITS, ceiling)
    return seen


@pytest.mark.spec("C4")
@given(
    capacity=st.floats(250, 20_000),
    base=st.floats(0, 0.6),
)
def test_cpu_is_never_over_its_ceiling_for_long_and_the_rate_settles(
    capacity: float, base: float
) -> None:
    seen = drive(Backend(capacity, lambda _: base), turns=60)
    over = [cpu > LIMITS.cpu_ceiling_pct + 0.5 for _, cpu in seen]
    longest = max(len(run) for run in "".join("x" if o else " " for o in over).split(" "))
    assert longest <= 6, seen
    assert not any(over[10:]), seen
    last = [rate for rate, _ in seen[-10:]]
    assert max(last) - min(last) <= 0.05 * max(last), last
    assert max(rate for rate, _ in seen) <= CEILING


@given(capacity=st.floats(300, 20_000), base=st.floats(0, 0.5))
def test_what_a_backend_can_bear_is_used(capacity: float, base: float) -> None:
    settled = drive(Backend(capacity, lambda _: base), turns=60)[-1]
    rate, cpu = settled
    bearable = 0.65 * LIMITS.cpu_ceiling_pct
    assert rate >= 0.95 * CEILING or cpu >= bearable, settled


def test_load_that_comes_on_top_slows_a_move_down_within_seconds() -> None:
    backend = Backend(1000, lambda now: 0.1 if now < 20 else 0.6)
    seen = drive(backend, turns=60)
    assert seen[19][0] > 500
    assert all(cpu <= LIMITS.cpu_ceiling_pct for _, cpu in seen[30:])
    assert seen[-1][0] < 200


def test_machine_that_others_use_up_still_ends_its_move() -> None:
    seen = drive(Backend(1000, lambda _: 0.97), turns=40)
    assert seen[-1][0] == CEILING * FLOOR_SHARE


@pytest.mark.parametrize("signal", list_signals(LIMITS), ids=lambda signal: signal.gauge)
def test_every_signal_slows_a_move_down_by_itself(signal: Signal) -> None:
    gauge, bound = signal.gauge, signal.bound
    assert adjust_rate(100, {gauge: bound / 10}, LIMITS, CEILING) == 200
    assert adjust_rate(100, {gauge: bound * 2}, LIMITS, CEILING) < 95
    assert 90 < adjust_rate(100, {gauge: bound}, LIMITS, CEILING) < 100


def test_backend_that_does_not_answer_halves_the_rate() -> None:
    assert adjust_rate(100, None, LIMITS, CEILING) == 50
    assert adjust_rate(100, {}, LIMITS, CEILING) == 200


@given(
    rate=st.floats(0.01, CEILING),
    gauges=st.dictionaries(
        st.sampled_from([s.gauge for s in list_signals(LIMITS)]), st.floats(-1, 1e9)
    ),
)
def test_rate_is_always_between_floor_and_ceiling(rate: float, gauges: dict[str, float]) -> None:
    next_rate = adjust_rate(rate, gauges, LIMITS, CEILING)
    assert CEILING * FLOOR_SHARE <= next_rate <= CEILING


def test_lag_of_a_release_that_reports_only_the_worst_of_ten_seconds_counts_too() -> None:
    bound = LIMITS.lag_ms
    assert adjust_rate(100, {"event_loop_lag_ms": 2 * bound}, LIMITS, CEILING) < 95
    recent = {"event_loop_lag_ms": 2 * bound, "event_loop_lag_recent_ms": bound / 10}
    assert adjust_rate(100, recent, LIMITS, CEILING) == 200


def test_weather_raises_the_bound_of_a_duration_and_leaves_a_move_some_cpu() -> None:
    slow = {"redis_latency_ms": 4 * LIMITS.redis_ms}
    assert adjust_rate(100, slow, LIMITS, CEILING) < 95
    assert adjust_rate(100, slow, LIMITS, CEILING, weather=slow) > 100
    full = {"cpu_pct": 100.0}
    assert adjust_rate(100, full, LIMITS, CEILING, weather={"cpu_pct": 95.0}) > 100
    assert adjust_rate(100, full, LIMITS, CEILING, weather={"cpu_pct": 60.0}) < 100
