"""Whole canaries, drawn at random: the good go through, the bad do not (T8).

`scripts/bench analysis` takes a thousand of them; these few are always the same.
"""

import pytest
from benchmarks.analysis import FAULTS, Fault, run_canary

from isshoni.rollout.plan import RolloutPlan

PLAN = RolloutPlan(bake_seconds=3.0)
GOOD = Fault()
ROUGH = (26, 33, 50, 103, 378, 682, 775)
"""Seeds whose shocks, blips and bad looks hit a good candidate worst."""


@pytest.mark.spec("C3")
@pytest.mark.parametrize("seed", (1, 2, 3, *ROUGH))
def test_good_candidate_is_not_sent_back_whatever_shakes_both_colours(seed: int) -> None:
    assert run_canary(seed, PLAN, candidate=GOOD, stable=GOOD).reason == ""


@pytest.mark.spec("C3")
def test_fix_of_a_sick_stable_is_not_sent_back() -> None:
    sick = Fault(errors_5xx=0.05)
    assert run_canary(1, PLAN, candidate=GOOD, stable=sick).reason == ""
    for seed in (1, 3):  # 3: by chance it is a little over stable's share at 100 %
        assert run_canary(seed, PLAN, candidate=sick, stable=sick).reason == ""


@pytest.mark.spec("C3", "C6")
@pytest.mark.parametrize("name", FAULTS)
def test_bad_candidate_never_comes_through(name: str) -> None:
    assert run_canary(1, PLAN, candidate=FAULTS[name], stable=GOOD).rolled_back
