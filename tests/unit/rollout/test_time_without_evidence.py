"""A bake is over when there is evidence of all its seconds: an outage does not count."""

from collections.abc import Callable

import pytest

from isshoni.rollout.clocks import Condition
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import resume_rollout
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, Driver

BAKE_SECONDS = 30.0
LONG = PLAN.model_copy(
    update={"bake_seconds": BAKE_SECONDS, "weight_timeout_seconds": 20.0, "hold_seconds": 15.0}
)
OUTAGE_SECONDS = 12.0


def bake(seconds: float, plan: RolloutPlan = LONG) -> Driver:
    """Return a canary of 10 % that has baked for `seconds`."""
    drive = Driver(plan=plan)
    drive.turn_until_step(StepName.CANARY, 10)
    drive.turn_until(lambda: drive.rollout.bake_began is not None)
    began = drive.world.now
    drive.turn_until(lambda: drive.world.now - began >= seconds)
    return drive


def break_redis(world: World) -> None:
    world.slots["blue"].ready = world.slots["green"].ready = False


def mend(world: World) -> None:
    world.unread.clear()
    for slot in world.slots.values():
        slot.ready = True


def suffer(drive: Driver, seconds: float, spoil: Callable[[World], None] | None = None) -> None:
    """Let time pass in which the engine observes nothing, or what `spoil` makes of the world."""
    until = drive.world.now + seconds
    if spoil is not None:
        spoil(drive.world)
    while drive.world.now < until:
        drive.turn(blind=spoil is None)
    mend(drive.world)


OUTAGES: dict[str, Callable[[World], None] | None] = {
    "nothing can be observed": None,
    "Redis answers neither slot": break_redis,
    "the candidate's admin port is silent": lambda world: world.unread.add("green"),
    "both admin ports are silent": lambda world: world.unread.update(("blue", "green")),
    "the weights cannot be read": lambda world: world.unread.add("weights"),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_time_without_evidence_does_not_count_as_baked(name: str) -> None:
    drive = bake(20.0)
    suffer(drive, OUTAGE_SECONDS, OUTAGES[name])
    after = drive.world.now
    drive.turn_until_step(StepName.CANARY, 50)
    assert drive.rollout.rollback is None
    # Of the 20 s before an outage, the few may be lost in which it was not noticed yet.
    assert 7.5 <= drive.world.now - after <= 18.0


@pytest.mark.parametrize("name", OUTAGES)
def test_outage_that_began_before_the_end_of_a_bake_does_not_end_it(name: str) -> None:
    drive = bake(BAKE_SECONDS - 1.0)
    suffer(drive, OUTAGE_SECONDS, OUTAGES[name])
    assert drive.rollout.step.weight == 10


def test_single_observation_that_fails_extends_a_bake_by_no_more_than_its_time() -> None:
    drive = bake(10.0)
    before = drive.rollout.bake_began
    drive.turn(blind=True)
    drive.turn()
    assert before is not None and drive.rollout.bake_began is not None
    assert 0 <= drive.rollout.bake_began - before <= 0.5


def test_time_in_which_the_engine_was_frozen_does_not_count_as_baked() -> None:
    drive = bake(10.0)
    drive.world.now += 60.0
    after = drive.world.now
    drive.turn_until_step(StepName.CANARY, 50)
    assert drive.world.now - after >= BAKE_SECONDS - 10.5


def test_bake_starts_from_zero_for_an_engine_that_takes_over() -> None:
    drive = bake(20.0)
    drive.world.now += 60.0
    drive.rollout = resume_rollout(drive.rollout, drive.world.now)
    after = drive.world.now
    drive.turn_until_step(StepName.CANARY, 50)
    assert drive.world.now - after >= BAKE_SECONDS


def test_paused_bake_is_judged_all_the_while_so_its_time_counts() -> None:
    drive = bake(10.0)
    drive.ask("pause")
    until = drive.world.now + BAKE_SECONDS
    drive.turn_until(lambda: drive.world.now >= until)
    assert drive.rollout.step.weight == 10
    drive.ask("resume")
    drive.turn()
    drive.turn()
    assert drive.rollout.step.weight == 50


def test_outage_while_paused_does_not_count_as_baked() -> None:
    drive = bake(10.0)
    drive.ask("pause")
    suffer(drive, OUTAGE_SECONDS)
    drive.ask("resume")
    after = drive.world.now
    drive.turn_until_step(StepName.CANARY, 50)
    assert drive.world.now - after >= BAKE_SECONDS - 10.5


def test_skipped_bake_ends_although_an_outage_extended_it() -> None:
    drive = bake(20.0)
    suffer(drive, OUTAGE_SECONDS)
    drive.ask("skip_bake")
    drive.turn()
    drive.turn()
    assert drive.rollout.step.weight == 50


def hold(seconds: float) -> Driver:
    """Return a bake that is over, and held up for `seconds` by a lag of the candidate."""
    drive = bake(0.0, PLAN)
    drive.world.slots["green"].gauges["pubsub_lag_ms"] = 900.0
    drive.turn_until(
        lambda: drive.rollout.measure_wait(Condition.VERDICT_CLEAR, drive.world.now) >= seconds
    )
    return drive


@pytest.mark.parametrize("name", ["nothing can be observed", "the weights cannot be read"])
def test_candidate_with_an_unclear_verdict_keeps_its_patience_through_an_outage(name: str) -> None:
    drive = hold(10.0)
    suffer(drive, 2.75, OUTAGES[name])
    drive.turn()
    held_seconds = drive.rollout.measure_wait(Condition.VERDICT_CLEAR, drive.world.now)
    assert held_seconds <= 12.0


def test_silent_candidate_is_rolled_back_when_its_patience_is_over() -> None:
    drive = bake(1.0, PLAN)
    drive.world.unread.add("green")
    drive.turn_until(lambda: drive.rollout.rollback is not None)
