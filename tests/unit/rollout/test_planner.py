"""The planner's arithmetic, held against simulated moves with the real pace."""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isshoni.rollout.pace import TURN_SECONDS, adjust_rate, start_rate
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.planner import (
    BackendLimits,
    calculate_busiest,
    calculate_move_seconds,
    forecast,
)

LIMITS = BackendLimits()


@dataclass(frozen=True)
class Simulated:
    """What a move second by second came to."""

    move_seconds: float
    peak_cpu_pct: float


def simulate(plan: RolloutPlan, connections: int, backends: int) -> Simulated:
    """Move people second by second, each backend's CPU fed back to the real pace."""
    ceiling = plan.migrate_rate_per_second
    rate, moved, seconds, peak = start_rate(ceiling), 0.0, 0.0, 0.0
    for weight in plan.weights:
        goal = connections * weight / 100 / backends
        while moved < goal - 1e-9:
            step = min(rate * TURN_SECONDS, goal - moved)
            moved += step
            seconds += step / rate
            # What the people of this colour will load it with is there at the end.
            base = LIMITS.cpu_pct_at_full * moved / LIMITS.connections
            cpu = base + 100 * rate / LIMITS.restores_per_second
            peak = max(peak, cpu)
            rate = adjust_rate(rate, {"cpu_pct": cpu}, plan.pace, ceiling)
    return Simulated(seconds, peak)


@given(
    connections=st.integers(1_000, 1_000_000),
    backends=st.integers(1, 200),
    rate=st.floats(20, 5_000),
)
@settings(max_examples=200)
def test_forecast_is_what_a_simulated_move_takes(
    connections: int, backends: int, rate: float
) -> None:
    plan = RolloutPlan(migrate_rate_per_second=rate)
    told = forecast(plan, connections, backends)
    if told.warnings:
        return
    came = simulate(plan, connections, backends)
    # Told for the load at the end, so it may be quicker; a turn of ramp each step more.
    slack = 3 + 3 * TURN_SECONDS
    assert came.move_seconds <= told.move_seconds * 1.25 + slack, (told, came)
    assert came.move_seconds >= told.move_seconds * 0.5 - slack, (told, came)
    assert came.peak_cpu_pct <= plan.pace.cpu_ceiling_pct


@pytest.mark.spec("C4")
def test_a_million_connections_on_two_hundred_backends() -> None:
    plan = RolloutPlan(migrate_rate_per_second=200, bake_seconds=600)
    told = forecast(plan, 1_000_000, 200)
    assert [step.connections for step in told.steps] == [100_000, 400_000, 500_000]
    # 5,000 for each backend, at 200 a second, and a ramp of some seconds.
    assert 25 <= told.move_seconds <= 32
    assert told.seconds == pytest.approx(1800 + told.move_seconds)
    assert 5_000 < told.connections_per_backend < 5_500
    assert told.peak_cpu_pct <= 80
    assert told.warnings == ()


def test_peak_of_the_busiest_backend_is_that_of_a_random_balancer() -> None:
    told = forecast(RolloutPlan(migrate_rate_per_second=200), 1_000_000, 200)
    chance = random.Random(7)
    worst = 0
    for _ in range(25):
        spread = Counter(chance.choices(range(200), k=200 * 200))
        worst = max(worst, max(spread.values()))
    # Of 25 seconds the worst is a little above the worst of one.
    assert told.peak_per_second * 0.95 <= worst <= told.peak_per_second * 1.12


def test_one_backend_has_no_busier_one() -> None:
    assert calculate_busiest(200, 1) == 200


def test_cpu_ceiling_binds_where_the_configured_rate_would_break_it() -> None:
    told = forecast(RolloutPlan(migrate_rate_per_second=5_000), 10_000, 1)
    assert told.slowed_by_cpu
    assert told.rate_per_second < 1_000
    assert told.peak_cpu_pct <= 80


def test_too_many_people_for_the_backends_are_warned_of() -> None:
    told = forecast(RolloutPlan(), 1_000_000, 10)
    assert "take at least 50 backends" in told.warnings[0]
    assert "at its slowest" in told.warnings[1]


def test_ramp_then_straight_line() -> None:
    assert calculate_move_seconds(0, 100, 10) == (0, 10)
    assert calculate_move_seconds(5, 100, 10) == (0.5, 10)
    # 10 + 20 + 40 + 80 in four seconds, then 100 a second.
    assert calculate_move_seconds(250, 100, 10) == (5.0, 100)
