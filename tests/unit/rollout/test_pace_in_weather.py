"""The pace of a move on a machine that both colours share, in several kinds of weather."""

import itertools
import random

import pytest

from isshoni.rollout.plan import RolloutPlan
from tests.unit.rollout.machine import Machine, Second, move

PLAN = RolloutPlan()
CEILING = PLAN.migrate_rate_per_second
SATURATED = {"client_cost": 0.00045, "others": lambda now: 1.3}
"""2,000 clients want 0.9 of a core of their colour, everything else 1.3 of the 2 cores."""


def count_turns(seconds: list[Second]) -> int:
    """Return how often the rate changed its direction by over a tenth."""
    steps = [b.rate / a.rate for a, b in itertools.pairwise(seconds)]
    signs = [1 if it > 1.1 else -1 for it in steps if not 0.9 <= it <= 1.1]
    return sum(a != b for a, b in itertools.pairwise(signs))


def test_free_machine_moves_at_the_configured_rate_and_below_the_cpu_ceiling() -> None:
    seconds = move(Machine(clients=2000, cores=4), PLAN)
    assert len(seconds) <= 2000 / CEILING + 4
    assert all(it.rate <= CEILING for it in seconds)
    assert all(it.cpu_pct <= PLAN.pace.cpu_ceiling_pct for it in seconds)


def test_saturated_machine_does_not_hold_up_a_move_that_relieves_it() -> None:
    seconds = move(Machine(**SATURATED), PLAN)  # type: ignore[arg-type]
    assert len(seconds) <= 60
    assert count_turns(seconds) <= 4


def test_clients_that_use_up_a_core_do_not_hold_up_their_own_move() -> None:
    seconds = move(Machine(client_cost=0.00048, cores=4), PLAN)
    assert len(seconds) <= 60


def test_redis_that_is_slow_for_both_colours_does_not_hold_up_a_move() -> None:
    seconds = move(Machine(cores=4, redis_ms=lambda now: 300.0), PLAN)
    assert len(seconds) <= 30


def test_redis_that_becomes_slow_during_a_move_does_not_hold_it_up_for_long() -> None:
    slow = Machine(clients=4000, cores=4, redis_ms=lambda now: 300.0 if now > 8 else 1.0)
    assert len(move(slow, PLAN)) <= 90


def test_move_that_slows_redis_down_for_both_colours_is_slowed_down() -> None:
    seconds = move(Machine(clients=8000, cores=4, redis_ms_per_rate=2.0), PLAN)
    assert max(it.rate for it in seconds[40:]) <= 60
    assert min(it.rate for it in seconds) >= 10


def test_spikes_of_the_event_loop_slow_a_move_only_a_little() -> None:
    rng = random.Random(1)
    spiky = Machine(cores=4, spike_ms=lambda now: 400.0 if rng.random() < 0.03 else 0.0)
    assert len(move(spiky, PLAN)) <= 2 * (2000 / CEILING)


def test_candidate_whose_restores_are_slow_is_moved_to_slowly() -> None:
    slow = Machine(cores=4, restore_cost=0.02)
    seconds = move(slow, PLAN)
    settled = seconds[6:-1]
    # It restores 50 a second with the whole core; a tenth of the ceiling is a fifth of that.
    assert max(it.rate for it in settled) <= 60
    assert max(it.queue for it in settled) <= 30
    assert sum(it.cpu_pct > 100 * 0.99 for it in settled) <= 0.2 * len(settled)
    assert len(seconds) <= 120
    assert count_turns(settled) <= len(settled) / 5


def test_candidate_that_needs_three_times_the_cpu_slows_a_move_but_does_not_stop_it() -> None:
    heavy = Machine(cores=4, client_cost=0.0002, candidate_factor=3.0)
    seconds = move(heavy, PLAN)
    assert 15 <= len(seconds) <= 180


@pytest.mark.parametrize("clients", [1000, 2000, 4000])
@pytest.mark.parametrize("others", [0.5, 1.3, 1.9])
def test_rollback_returns_all_sessions_within_its_time_in_any_weather(
    clients: int, others: float
) -> None:
    storm = Machine(
        clients=clients,
        client_cost=0.9 / clients,
        others=lambda now: others,
        redis_ms=lambda now: 500.0,
        spike_ms=lambda now: 900.0,
    )
    seconds = move(storm, PLAN, back=True)
    assert len(seconds) <= PLAN.rollback_within_seconds + 5


def test_rollback_is_over_before_its_candidate_is_stopped() -> None:
    plan = PLAN.model_copy(update={"drain_timeout_seconds": 20.0})
    storm = Machine(clients=4000, client_cost=0.0002, redis_ms=lambda now: 500.0)
    assert len(move(storm, plan, back=True)) <= 15


def test_rollback_on_a_free_machine_reaches_twice_the_configured_rate() -> None:
    seconds = move(Machine(clients=1000, cores=4), PLAN, back=True)
    assert len(seconds) <= 5
    assert max(it.rate for it in seconds) <= 2 * CEILING
