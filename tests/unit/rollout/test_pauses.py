"""When the engine observes again."""

from dataclasses import replace

import pytest

from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.pauses import QUICK_SECONDS, choose_pause
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Baking
from isshoni.rollout.steps import StepName
from tests.unit.rollout.driver import PLAN, Driver


class Canary:
    """A rollout at its first canary step, with its weights applied and its share moved."""

    def __init__(self) -> None:
        drive = Driver()
        drive.turn_until_step(StepName.CANARY, 10)
        drive.turn_until(lambda: drive.rollout.bake_began is not None)
        self.rollout: Rollout = drive.rollout
        self.seen: Observation = drive.world.observe()
        began = drive.rollout.bake_began
        assert began is not None
        self.began = began

        # A round of probes has no end of its own here.
        record = replace(drive.rollout.recall(Baking), probes_underway=True)
        self.rollout = self.rollout.keep(record)

    def pause_at(self, seconds: float, *, busy: bool = False) -> float:
        """Return the pause, so many seconds after the bake began."""
        return choose_pause(self.rollout, self.seen, self.began + seconds, busy=busy)


def test_a_bake_is_observed_at_the_plans_pace_and_when_it_ends() -> None:
    canary = Canary()
    assert canary.pause_at(0.5) == PLAN.observe_seconds
    assert canary.pause_at(PLAN.bake_seconds - 0.1) == pytest.approx(0.1)
    assert canary.pause_at(PLAN.bake_seconds - 0.01) == QUICK_SECONDS
    assert canary.pause_at(PLAN.bake_seconds + 3) == QUICK_SECONDS, "a round may end the wait"
    record = replace(canary.rollout.recall(Baking), probes_underway=False)
    canary.rollout = canary.rollout.keep(record)
    assert canary.pause_at(PLAN.bake_seconds + 3) == PLAN.observe_seconds
    assert canary.pause_at(0.5, busy=True) == QUICK_SECONDS


def test_weights_that_are_not_applied_yet_are_looked_for_soon() -> None:
    canary = Canary()
    canary.seen = replace(canary.seen, weights=Weights(100, 0))
    assert canary.pause_at(0.5) == QUICK_SECONDS


def test_the_end_of_a_move_is_seen_soon() -> None:
    canary = Canary()
    moving, status = canary.rollout.moving, canary.seen.backends["blue"]
    assert moving is not None and status is not None and status.migration is not None
    canary.rollout = canary.rollout.keep(replace(canary.rollout.recall(Baking), bake_began=None))
    rate = moving.rate_per_second
    canary.rollout = replace(canary.rollout, moving=replace(moving, paced_at=canary.began))
    for left, pause in ((1000, PLAN.observe_seconds), (int(rate / 8), int(rate / 8) / rate)):
        migration = replace(status.migration, remaining=left, done=False)
        backends = {**canary.seen.backends, "blue": replace(status, migration=migration)}
        canary.seen = replace(canary.seen, backends=backends)
        assert canary.pause_at(0.5) == pytest.approx(pause)
    assert canary.pause_at(0.95) == pytest.approx(QUICK_SECONDS)


@pytest.mark.parametrize("name", [StepName.WAIT_HEALTHY, StepName.PROVE])
def test_short_steps_are_observed_quickly(name: StepName) -> None:
    drive = Driver()
    drive.turn_until_step(name)
    seen = drive.world.observe()
    assert choose_pause(drive.rollout, seen, drive.world.now, busy=False) == QUICK_SECONDS
