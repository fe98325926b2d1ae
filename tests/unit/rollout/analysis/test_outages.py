"""What is kept of the evidence when both colours have the same trouble for a while."""

from dataclasses import replace

import pytest

from isshoni.rollout.analysis.evidence import (
    CHECKPOINT_SECONDS,
    UNNOTICED_SECONDS,
    Evidence,
    pass_over_look,
    weigh_look,
)
from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.plan import Thresholds

LIMITS = Thresholds()
LOOK_SECONDS = 0.5
GOOD = {"balancer_requests": 20}
BAD = {"balancer_requests": 20, "balancer_errors_5xx": 1}
DOWN = {"balancer_requests": 20, "balancer_errors_5xx": 20}


def add(counts: Counts, more: Counts) -> Counts:
    return {name: counts.get(name, 0) + more.get(name, 0) for name in {*counts, *more}}


def look(before: Evidence, candidate: Counts, stable: Counts) -> Evidence:
    now = before.at + LOOK_SECONDS
    mine, theirs = add(before.candidate, candidate), add(before.stable, stable)
    return weigh_look(before, mine, theirs, now, LIMITS, exposed=True)


def look_on(before: Evidence, candidate: Counts, stable: Counts, seconds: float) -> Evidence:
    for _ in range(int(seconds / LOOK_SECONDS)):
        before = look(before, candidate, stable)
    return before


def suffer(before: Evidence, seconds: float) -> Evidence:
    """Let both colours fail, with the trouble noticed 1.5 s after it began."""
    before = look_on(before, DOWN, DOWN, 1.5)
    for _ in range(int(seconds / LOOK_SECONDS)):
        mine, theirs = add(before.candidate, DOWN), add(before.stable, DOWN)
        before = pass_over_look(before, mine, theirs, before.at + LOOK_SECONDS)
    return before


def seconds_until_guilty(evidence: Evidence) -> float:
    began = evidence.at
    while not evidence.guilty:
        assert evidence.at < began + 60
        evidence = look(evidence, BAD, GOOD)
    return evidence.at - began


BEGUN = Evidence(1000.0)


@pytest.mark.spec("C3")
def test_evidence_from_before_an_outage_counts_after_it() -> None:
    quiet = seconds_until_guilty(BEGUN)
    for outage_seconds in (0.5, 3, 10, 60):
        before = look_on(BEGUN, BAD, GOOD, quiet - 2 * LOOK_SECONDS)
        after = seconds_until_guilty(suffer(before, outage_seconds))
        assert after <= UNNOTICED_SECONDS + CHECKPOINT_SECONDS + 2 * LOOK_SECONDS
        assert after < quiet


def test_failures_of_an_outage_that_was_not_noticed_yet_are_left_out() -> None:
    before = look_on(BEGUN, GOOD, GOOD, 10)
    after = suffer(before, 5)
    assert after.weighed["5xx"].bad == after.weighed["5xx"].stable_bad == 0
    assert not look_on(after, GOOD, GOOD, 10).guilty


def test_an_outage_does_not_make_failures_last_longer() -> None:
    before = look_on(BEGUN, BAD, GOOD, 8)
    share = suffer(before, 30).weighed["5xx"]
    assert share.bad_until - share.bad_since < 8
    at = suffer(before, 30).at
    assert at - share.bad_until <= LOOK_SECONDS


def test_an_outage_that_comes_and_goes_takes_its_seconds_only_once() -> None:
    before = look_on(BEGUN, BAD, GOOD, 10)
    once = suffer(before, 5)
    again = suffer(look_on(once, GOOD, GOOD, 1), 5)
    assert again.usable_seconds == once.usable_seconds
    assert again.weighed["5xx"].bad == once.weighed["5xx"].bad > 0


def test_usable_seconds_are_those_without_an_outage() -> None:
    before = look_on(BEGUN, BAD, GOOD, 10)
    after = suffer(before, 20)
    lost = before.usable_seconds - after.usable_seconds
    assert UNNOTICED_SECONDS - 2 <= lost <= UNNOTICED_SECONDS + CHECKPOINT_SECONDS
    assert look_on(after, BAD, GOOD, 3).usable_seconds == after.usable_seconds + 3


def test_evidence_of_an_earlier_version_starts_from_zero_after_an_outage() -> None:
    before = replace(look_on(BEGUN, BAD, GOOD, 10), checkpoints=())
    after = suffer(before, 1)
    assert after.weighed["5xx"].bad == 0 and after.weighed["5xx"].stable_tried > 0


def test_few_checkpoints_are_kept() -> None:
    after = look_on(BEGUN, BAD, GOOD, 120)
    assert len(after.checkpoints) <= 2 + UNNOTICED_SECONDS / CHECKPOINT_SECONDS
