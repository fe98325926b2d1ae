"""Every timeout counts from when its condition became false, and an unreadable look is neither."""

import pytest

from isshoni.rollout.clocks import Clocks, Condition, measure_wait, update_clock
from isshoni.rollout.steps import StepName
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.unit.rollout.driver import Driver
from tests.unit.rollout.situations import (
    confirming,
    moving_for_long,
    paused_at,
    returning_for_long,
    sends_away,
    unread,
    unwell,
    weights_elsewhere,
    weights_stay_elsewhere,
)


@pytest.mark.parametrize(
    ("looks", "seconds"),
    [
        ("", 0),
        ("t", 0),
        ("tttttf", 0),
        ("ttttff", 1),
        ("fffftf", 0),
        ("f?f", 2),  # an unreadable look clears nothing
        ("tttt?", 0),  # and says nothing against a condition that was seen true
        ("t?t?", 0),
        ("t???", 2),  # but what cannot be read for long does not hold for ever
        ("??f", 0),
        ("f???", 3),
    ],
)
def test_clock_counts_from_the_look_that_saw_its_condition_false(looks: str, seconds: int) -> None:
    met = {"t": True, "f": False, "?": None}
    clocks: Clocks = {}
    for now, look in enumerate(looks):
        clocks = update_clock(clocks, Condition.WEIGHTS_APPLIED, met[look], now)
    assert measure_wait(clocks, Condition.WEIGHTS_APPLIED, len(looks) - 1) == seconds


# A condition that held for long, and then one bad look


ONE_BAD_LOOK = {
    "read state, weights": (paused_at(StepName.READ_STATE), unread("weights")),
    "read state, stable silent": (paused_at(StepName.READ_STATE), unread("blue")),
    "start, slot emptied": (
        paused_at(StepName.START_CANDIDATE),
        lambda world: world.stop("green"),
    ),
    "wait healthy, unwell": (paused_at(StepName.WAIT_HEALTHY), unwell("green")),
    "wait healthy, silent": (paused_at(StepName.WAIT_HEALTHY), unread("green")),
    "prove, stable silent": (paused_at(StepName.PROVE), unread("blue")),
    "canary, weights unread": (moving_for_long, unread("weights")),
    "canary, weights taken away": (moving_for_long, weights_elsewhere),
    "canary, nothing readable": (moving_for_long, unread("weights", "blue", "green")),
    "canary, paused, silent": (paused_at(StepName.CANARY, 50), unread("green")),
    "migrate, weights": (paused_at(StepName.MIGRATE), unread("weights")),
    "stragglers, weights": (paused_at(StepName.WAIT_STRAGGLERS), weights_elsewhere),
    "confirm empty, weights unread": (confirming, unread("weights")),
    "confirm empty, weights taken away": (confirming, weights_elsewhere),
}


@pytest.mark.parametrize("name", ONE_BAD_LOOK)
def test_one_bad_look_after_long_good_time_turns_nothing_round(name: str) -> None:
    begin, spoil = ONE_BAD_LOOK[name]
    drive = begin()
    spoil(drive.world)
    if drive.rollout.paused:
        drive.ask("resume")
    drive.turn()
    drive.world.unread.clear()
    assert (drive.rollout.outcome, drive.rollout.rollback) == ("running", None)
    assert drive.turn_until_end().outcome == "promoted"


ONE_BAD_LOOK_BACK = {
    "weights unread": unread("weights"),
    "weights taken away": weights_elsewhere,
    "stable unwell": unwell("blue"),
    "stable sends away": sends_away,
    "admin ports silent": unread("blue", "green"),
}


@pytest.mark.parametrize("name", ONE_BAD_LOOK_BACK)
def test_one_bad_look_does_not_end_a_rollback_stuck(name: str) -> None:
    drive = returning_for_long()
    ONE_BAD_LOOK_BACK[name](drive.world)
    drive.turn()
    drive.world.unread.clear()
    assert drive.rollout.outcome == "running"
    assert drive.turn_until_end().outcome == "rolled_back"
    assert drive.world.cut == []


def test_one_blind_look_does_not_end_a_long_rollback_stuck() -> None:
    drive = returning_for_long()
    drive.turn(blind=True)
    assert drive.rollout.outcome == "running"
    assert drive.turn_until_end().outcome == "rolled_back"


def test_weights_that_are_unread_now_and_then_do_not_restart_the_bake() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 10)
    drive.turn_until(lambda: drive.rollout.bake_began is not None)
    began = drive.rollout.bake_began
    drive.world.unread.add("weights")
    drive.turn()
    drive.world.unread.clear()
    drive.turn()
    assert drive.rollout.bake_began == began


def test_clocks_survive_writing() -> None:
    drive = moving_for_long()
    weights_stay_elsewhere(drive.world)
    drive.turn()
    assert drive.rollout.measure_wait(Condition.WEIGHTS_APPLIED, drive.world.now) > 0
    assert decode_rollout(encode_rollout(drive.rollout)).clocks == drive.rollout.clocks
