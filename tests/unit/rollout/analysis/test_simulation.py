"""Whole canaries, drawn at random: the good go through, the bad do not (T8).

`scripts/bench analysis` takes a thousand of them; these few are always the same.
"""

import pytest
from benchmarks.analysis import run_canary
from benchmarks.support.canaries import (
    FAULTS,
    FIRST_SATURATED,
    HALF_SATURATED,
    LATE_FAULTS,
    SATURATED,
    STOPPED,
    Fault,
)

from isshoni.rollout.plan import RolloutPlan

PLAN = RolloutPlan(bake_seconds=3.0)
GOOD = Fault()
ROUGH = (26, 33, 50, 103, 115, 198, 378, 682, 775)
"""Seeds whose shocks, outages and bad looks hit a good candidate worst.

115, 198: at 100 %, disturbances follow one another for more than `hold_seconds`.
"""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("seed", (1, 2, 3, *ROUGH))
def test_good_candidate_is_not_sent_back_whatever_shakes_both_colours(seed: int) -> None:
    assert run_canary(seed, PLAN, candidate=GOOD, stable=GOOD).reason == ""


@pytest.mark.spec("C3")
def test_fix_of_a_sick_stable_is_not_sent_back() -> None:
    sick = Fault(errors_5xx=0.05)
    assert run_canary(1, PLAN, candidate=GOOD, stable=sick).reason == ""
    # 3, 38, 44: by chance it is a little over stable's share when stable is not tried any more
    for seed in (1, 3, 38, 44):
        assert run_canary(seed, PLAN, candidate=sick, stable=sick).reason == ""


CROWDED = (1, 2, 4, 5, 6, 19, 24, 48, 75)
"""Seeds whose slow acks hit the candidate worst."""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("seed", CROWDED)
def test_slow_acks_of_a_busy_machine_convict_no_candidate(seed: int) -> None:
    candidate, stable = Fault(crowded=0.35), Fault(crowded=0.28)
    assert run_canary(seed, PLAN, candidate=candidate, stable=stable).reason == ""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("name", SATURATED)
@pytest.mark.parametrize("seed", (2, 7, 14, 21))
def test_machine_that_both_colours_saturate_convicts_no_candidate(name: str, seed: int) -> None:
    candidate, stable = SATURATED[name]
    assert run_canary(seed, PLAN, candidate=candidate, stable=stable).reason == ""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("seed", (776, 886))
def test_trouble_at_100_pct_that_stable_cannot_show_convicts_no_candidate(seed: int) -> None:
    # 776: Redis fails 0.25 s after stable's last attempts, and one look counts both together.
    # 886: the machine is saturated for the first time, for 15 s, when stable has no clients.
    candidate, stable = SATURATED[FIRST_SATURATED]
    assert run_canary(seed, PLAN, candidate=candidate, stable=stable).reason == ""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("seed", (1, 2, 3, 4))
def test_redis_that_stops_for_seconds_convicts_no_candidate(seed: int) -> None:
    assert run_canary(seed, PLAN, candidate=STOPPED, stable=STOPPED).reason == ""


@pytest.mark.spec("C3", "C6")
@pytest.mark.parametrize("seed", (1, 3, 4, 5))
def test_candidate_that_is_slow_at_100_pct_only_is_caught_despite_hiccups_of_stable(
    seed: int,
) -> None:
    late = LATE_FAULTS["+200 ms on acks, at 100 % only"]
    outcome = run_canary(seed, PLAN, candidate=late, stable=GOOD)
    assert "slow acks" in outcome.reason
    assert outcome.usable_seconds <= PLAN.bake_seconds + PLAN.hold_seconds


@pytest.mark.spec("C3", "C6")
@pytest.mark.parametrize("seed", (1, 2, 100, 102))
def test_slow_candidate_is_caught_on_a_saturated_machine(seed: int) -> None:
    slow = Fault(slow=1.0, saturated=0.7, moves_seconds=5.0)
    assert run_canary(seed, PLAN, candidate=slow, stable=HALF_SATURATED).rolled_back


@pytest.mark.spec("C3", "C6")
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"5xx at 2 %"}))
@pytest.mark.parametrize("seed", (34, 40))  # with outages, or with chance on its side
def test_bad_candidate_is_caught_in_an_interval_of_usable_evidence(name: str, seed: int) -> None:
    outcome = run_canary(seed, PLAN, candidate=FAULTS[name], stable=GOOD)
    assert outcome.rolled_back
    assert outcome.usable_seconds <= PLAN.bake_seconds + PLAN.hold_seconds


@pytest.mark.spec("C3", "C6")
@pytest.mark.parametrize("name", FAULTS)
def test_bad_candidate_never_comes_through(name: str) -> None:
    assert run_canary(1, PLAN, candidate=FAULTS[name], stable=GOOD).rolled_back
