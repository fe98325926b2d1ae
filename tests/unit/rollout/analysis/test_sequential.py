"""The sequential tests keep their promise at every look, and see what is gross at once."""

import random
from collections.abc import Callable
from math import comb, exp

import pytest

from isshoni.rollout.analysis.sequential import (
    EVIDENCE,
    LogE,
    add_difference,
    add_excess,
    calculate_evidence,
)

LOOKS = 100
RUNS = 400


def draw(rng: random.Random, tried: int, share: float) -> int:
    return sum(rng.random() < share for _ in range(tried))


def count_false_alarms(enough: float, look: Callable[[random.Random, LogE], LogE]) -> int:
    """Count the runs that ever came to so much evidence."""
    rng, alarms = random.Random(1), 0
    for _ in range(RUNS):
        evidence: LogE = ()
        for _ in range(LOOKS):
            evidence = look(rng, evidence)
            if calculate_evidence(evidence) >= enough:
                alarms += 1
                break
    return alarms


def test_share_at_its_limit_is_seldom_called_too_high_however_often_one_looks() -> None:
    enough = 2000.0

    def look(rng: random.Random, evidence: LogE) -> LogE:
        return add_excess(evidence, draw(rng, 20, 0.01), 20, 0.01)

    assert count_false_alarms(enough, look) / RUNS <= LOOKS / enough


def test_two_that_are_alike_are_seldom_told_apart_even_when_both_get_sick_together() -> None:
    enough = 2000.0

    def look(rng: random.Random, evidence: LogE) -> LogE:
        share = rng.choice((0.0, 0.01, 0.5))  # trouble that comes and goes
        return add_difference(evidence, draw(rng, 10, share), 10, draw(rng, 90, share), 90)

    assert count_false_alarms(enough, look) / RUNS <= LOOKS / enough


def test_factor_of_a_difference_has_the_expectation_one_when_the_odds_are_the_same() -> None:
    # Exact, by going through all that can happen: 3 of 10 failed, 4 attempts were ours.
    weights = [comb(4, x) * comb(6, 3 - x) * 1.5**x for x in range(4)]
    for alternative in range(5):
        total = 0.0
        for x, weight in enumerate(weights):
            evidence = add_difference((50.0,) * 5, x, 4, 3 - x, 6)
            total += weight / sum(weights) * exp(evidence[alternative] - 50.0)
        assert total == pytest.approx(1.0)


def test_difference_without_anything_to_compare_with_says_nothing() -> None:
    assert calculate_evidence(add_difference((), 30, 30, 0, 0)) == 1.0


@pytest.mark.parametrize(("tried", "looks"), [(1, 3), (2, 3), (10, 5), (50, 8)])
def test_gross_excess_is_seen_within_a_few_failures(tried: int, looks: int) -> None:
    evidence: LogE = ()
    for _ in range(looks):
        evidence = add_excess(evidence, 1, tried, 0.001)
    assert calculate_evidence(evidence) >= EVIDENCE


def test_long_good_past_does_not_hide_a_fault() -> None:
    evidence: LogE = ()
    for _ in range(10_000):
        evidence = add_excess(evidence, 0, 1000, 0.001)
    evidence = add_excess(evidence, 10, 20, 0.001)
    assert calculate_evidence(evidence) >= EVIDENCE


def test_many_failures_at_once_are_no_trouble_to_calculate() -> None:
    assert calculate_evidence(add_difference((), 3000, 4000, 10, 36_000)) >= EVIDENCE
