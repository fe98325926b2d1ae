"""The way back: traffic home first, then the clients, and never to a dead stable."""

import pytest

from isshoni.rollout.actions import (
    ApplyWeights,
    Migrate,
    StopColour,
)
from isshoni.rollout.model import Relaying, Release, Weights
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import V2, Slot, World
from tests.unit.rollout.driver import PLAN, Driver


@pytest.mark.parametrize("name", list(StepName)[:-3])
@pytest.mark.spec("C6")
def test_rollback_asked_at_any_step_brings_everybody_home(name: StepName) -> None:
    world = World()
    world.slots["blue"].stubborn = 5
    drive = Driver(world)
    drive.turn_until_step(name)
    drive.ask("rollback")
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "asked by ann" in ended.reason
    assert world.weights == Weights(100, 0)
    assert world.slots["blue"].clients == 50
    assert world.slots["green"].release is None
    assert world.cut == []


@pytest.mark.spec("C7")
def test_rollback_waits_for_a_start_that_outlived_its_engine() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.START_CANDIDATE)
    drive.world.slots["green"] = Slot(orphan=(drive.world.now + 20, V2))
    drive.ask("rollback")
    assert StopColour("green") in drive.turn().actions
    assert drive.turn_until_end().outcome == "rolled_back"
    assert drive.world.slots["green"] == Slot()


def test_rollback_asked_while_the_old_colour_is_ended_comes_too_late() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.END_OLD)
    drive.ask("rollback")
    decision = drive.turn()
    assert [event.what for event in decision.events][:1] == ["too_late"]
    assert drive.turn_until_end().outcome == "promoted"


def test_rollback_sends_traffic_home_in_its_first_turn_and_runs_two_clocks() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 100)
    drive.ask("rollback")
    decision = drive.turn()
    assert ApplyWeights(Weights(100, 0)) in decision.actions
    back = drive.turn_until_end().rollback
    assert back is not None and back.traffic_home is not None and back.sessions_home is not None
    assert back.began <= back.traffic_home <= back.sessions_home


def test_nobody_is_sent_back_to_a_dead_stable() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn()
    drive.world.kill("blue")
    drive.ask("rollback")
    ended = drive.turn_until_end()
    assert ended.outcome == "stuck"
    assert "blue is not running" in ended.reason
    assert drive.world.weights == Weights(0, 100)
    assert drive.world.slots["green"].release == V2


def test_with_both_dead_stable_is_the_lesser_evil() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn()
    drive.world.kill("blue")
    drive.world.kill("green")
    assert drive.turn_until_end().outcome == "stuck"
    assert drive.world.weights == Weights(100, 0)


def test_stable_that_recovers_in_time_gets_its_people_back() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn()
    drive.world.kill("blue", restart=True)
    drive.ask("rollback")
    assert drive.turn_until_end().outcome == "rolled_back"
    assert drive.world.slots["blue"].clients == 50


def test_candidate_that_is_slow_to_stop_is_not_taken_for_one_with_clients() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.ask("rollback")
    drive.world.lingers = True
    drive.turn_until(lambda: bool(drive.acted(StopColour)))
    asked = len(drive.acted(Migrate))
    for _ in range(20):
        drive.turn()
    assert len(drive.acted(Migrate)) == asked
    drive.world.lingers = False
    assert drive.turn_until_end().outcome == "rolled_back"


def test_forced_fix_goes_onto_the_dead_stable_when_people_are_on_the_other_colour() -> None:
    world = World(clients=0)
    world.start("green", Release("bad but alive"))
    world.kill("blue")
    world.weights = Weights(0, 100)
    world.slots["green"].clients = 50
    world.tick(2)
    assert Driver(world).turn_until_end().outcome == "refused"
    drive = Driver(world, force=True)
    ended = drive.turn_until_end()
    assert (ended.outcome, ended.candidate) == ("promoted", "blue")
    assert world.slots["blue"].release == V2
    assert (world.slots["blue"].clients, world.cut) == (50, [])


def test_a_relay_closes_what_cannot_be_moved_over_the_time_of_a_rollback() -> None:
    world = World()
    relayed = Release("v2", command="serve {port}", relay=Relaying())
    drive = Driver(world, release=relayed)
    drive.turn_until_step(StepName.CANARY, 100)
    drive.turn_until(lambda: world.slots["green"].clients > 10)
    world.slots["green"].stubborn = 5
    drive.ask("rollback")
    drive.turn_until(lambda: world.slots["green"].clients == 5)
    began = world.now
    ended = drive.turn_until_end()
    orders = [
        action
        for decision in drive.decisions
        for action in decision.actions
        if isinstance(action, Migrate) and action.colour == "green"
    ]
    assert {order.close_over_seconds for order in orders} == {PLAN.drain_timeout_seconds}
    assert ended.outcome == "rolled_back"
    assert world.now - began >= PLAN.drain_timeout_seconds - PLAN.migrate_within_seconds
