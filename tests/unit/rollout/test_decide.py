"""The story of a rollout, and what turns it round."""

import pytest

from isshoni.rollout.actions import (
    ApplyWeights,
    CancelMigration,
    Migrate,
    ProveCandidate,
)
from isshoni.rollout.decide import decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Release, Weights
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import resume_rollout
from isshoni.rollout.steps import StepName, plan_steps
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, Driver

FOREIGN = Release("their app", command="serve --port {port}")


def test_usual_plan_has_twelve_steps_and_each_weight_is_one() -> None:
    steps = plan_steps(RolloutPlan())
    assert [step.number for step in steps] == list(range(1, 13))
    assert [step.weight for step in steps if step.weight] == [10, 50, 100]
    assert len(plan_steps(RolloutPlan(weights=(100,)))) == 10


def test_good_release_goes_through_every_step() -> None:
    drive = Driver()
    ended = drive.turn_until_end()
    assert ended.outcome == "promoted"
    assert [timing.number for timing in ended.timings] == list(range(1, 13))
    assert all(timing.ended is not None for timing in ended.timings)
    assert drive.world.cut == []


def test_same_turn_decides_the_same() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY)
    turn = Turn(drive.world.now, drive.world.observe())
    assert decide(drive.rollout, turn) == decide(drive.rollout, turn)


# Canary


@pytest.mark.spec("C3")
def test_weight_that_the_balancer_did_not_take_is_no_step_done() -> None:
    world = World()
    world.weights_stick = True
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY)
    drive.turn_until(lambda: len(drive.acted(ApplyWeights)) == 3)
    assert drive.rollout.bake_began is None
    world.weights_stick = False
    drive.turn_until_step(StepName.CANARY, 50)
    first = next(timing for timing in drive.rollout.timings if timing.title == "canary 10 %")
    assert first.ended is not None and first.ended - first.began >= PLAN.bake_seconds + 2


def test_weight_not_taken_in_time_is_rolled_back() -> None:
    world = World()
    world.weights_stick = True
    ended = Driver(world).turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "did not take blue 90 % / green 10 %" in ended.reason


def test_weight_taken_away_while_it_bakes_is_applied_again_and_bakes_anew() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: drive.world.now - (drive.rollout.bake_began or 1e9) > 1.5)
    before = drive.rollout.bake_began
    drive.world.weights = Weights(100, 0)
    drive.turn()
    assert drive.rollout.bake_began is None
    drive.turn_until(lambda: drive.rollout.bake_began is not None)
    assert before is not None and (drive.rollout.bake_began or 0) > before + 1.5
    assert drive.world.weights == Weights(50, 50)


@pytest.mark.parametrize("name", [StepName.CANARY, StepName.MIGRATE, StepName.WAIT_STRAGGLERS])
@pytest.mark.spec("C6")
def test_candidate_that_dies_with_people_on_it_is_rolled_back_at_once(name: StepName) -> None:
    world = World()
    world.slots["blue"].stubborn = 5
    drive = Driver(world)
    drive.turn_until_step(name)
    drive.turn_until(lambda: world.weights.green > 0)
    world.kill("green", restart=True)
    drive.turn()
    assert drive.rollout.rollback is not None
    assert drive.turn_until_end().outcome == "rolled_back"
    assert world.weights == Weights(100, 0)


def test_bake_starts_over_when_another_engine_takes_up() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: drive.rollout.bake_began is not None)
    drive.world.tick(3600)
    drive.rollout = resume_rollout(decode_rollout(encode_rollout(drive.rollout)), drive.world.now)
    drive.turn()
    assert drive.rollout.step.weight == 50
    assert drive.rollout.bake_began is not None
    assert drive.turn_until_end().outcome == "promoted"


def test_stable_that_is_as_sick_does_not_block_the_fix() -> None:
    world = World()
    world.slots["blue"].error_share = 0.5
    world.candidate_faults = {"error_share": 0.5}
    assert Driver(world).turn_until_end().outcome == "promoted"


# Migrate and finish


@pytest.mark.spec("C4")
def test_stragglers_get_the_drain_timeout_and_no_more() -> None:
    world = World()
    world.slots["blue"].stubborn = 2
    drive = Driver(world)
    drive.turn_until_step(StepName.WAIT_STRAGGLERS)
    began = world.now
    assert drive.turn_until_end().outcome == "promoted"
    assert world.cut == [("blue", 2)]
    assert PLAN.drain_timeout_seconds <= world.now - began < PLAN.drain_timeout_seconds + 2


@pytest.mark.spec("C9")
def test_program_without_admin_api_is_neither_asked_to_prove_nor_to_move() -> None:
    world = World(clients=4)
    drive = Driver(world, release=FOREIGN, stable=Release("theirs before", command="old {port}"))
    drive.turn_until_step(StepName.WAIT_STRAGGLERS)
    world.slots["blue"].clients = 0
    assert drive.turn_until_end().outcome == "promoted"
    assert drive.acted(ProveCandidate) == []
    assert drive.acted(Migrate) == []


# Requests


def test_paused_rollout_stays_at_its_step_until_resumed() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.ask("pause")
    for _ in range(40):
        drive.turn()
    assert drive.rollout.step.weight == 50
    drive.ask("resume")
    assert drive.turn_until_end().outcome == "promoted"


def test_paused_migration_is_called_off() -> None:
    world = World(clients=500)
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: world.slots["green"].clients > 60)
    drive.ask("pause")
    drive.turn()
    assert drive.acted(CancelMigration)
    assert world.slots["blue"].moving_to is None
    moved = world.slots["green"].clients
    for _ in range(80):
        drive.turn()
    assert world.slots["green"].clients == moved
    drive.ask("resume")
    assert drive.turn_until_end().outcome == "promoted"


# Blindness


def test_short_blindness_changes_nothing_and_a_long_one_turns_round() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn()
    before = drive.rollout.step
    told = [event.what for _ in range(4) for event in drive.turn(blind=True).events]
    assert told == ["blind"]
    drive.turn()
    assert (drive.rollout.step, drive.rollout.rollback) == (before, None)
    for _ in range(20):
        drive.turn(blind=True)
    assert drive.rollout.rollback is not None
    assert drive.world.weights == Weights(100, 0)
