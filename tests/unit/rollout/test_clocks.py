"""Every timeout counts from when its condition became false, and an unreadable look is neither."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from isshoni.rollout.actions import ActionResult, PrepareRelease, StartCandidate, StopColour
from isshoni.rollout.clocks import Clocks, Condition, measure_wait, update_clock
from isshoni.rollout.decide import decide
from isshoni.rollout.forward import END_OLD_SECONDS
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Colour, Observation, Weights
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Starting
from isshoni.rollout.steps import StepName
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_rollout_environment import V1, V2, World
from tests.unit.rollout.driver import PLAN, TURN_SECONDS, Driver

LONG = 100.0
"""Longer than every timeout of the plan."""


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


def paused_at(step: StepName, weight: int | None = None) -> Callable[[], Driver]:
    """Have a rollout held at a step, where all is well, for longer than every timeout."""

    def drive_there() -> Driver:
        world = World()
        world.slots["blue"].stubborn = 2
        drive = Driver(world)
        drive.turn_until_step(step, weight)
        drive.ask("pause")
        turn_for(drive, LONG)
        assert drive.rollout.step.name is step
        return drive

    return drive_there


def moving_for_long() -> Driver:
    """Have a share that still moves, long after its weight was applied."""
    drive = Driver(World(people=4000))
    drive.turn_until_step(StepName.CANARY, 50)
    turn_for(drive, 14)
    assert drive.rollout.bake_began is None and drive.rollout.step.weight == 50
    return drive


def returning_for_long() -> Driver:
    """Have a rollback that returns sessions, long after new connections are on stable."""
    drive = Driver(World(people=3000), plan=PLAN.model_copy(update={"drain_timeout_seconds": 80}))
    drive.turn_until_step(StepName.CANARY, 100)
    drive.turn_until(lambda: drive.world.slots["green"].people > 2500)
    drive.ask("rollback")
    turn_for(drive, 14)
    assert drive.rollout.rollback and drive.rollout.rollback.traffic_home
    assert drive.world.slots["green"].people > 1000
    return drive


def confirming() -> Driver:
    """Have a rollout held at its last look before the old colour is ended."""
    world = World()
    world.slots["blue"].stubborn = 2
    drive = Driver(world)
    drive.turn_until_step(StepName.WAIT_STRAGGLERS)
    over = PLAN.drain_timeout_seconds - TURN_SECONDS
    drive.turn_until(lambda: drive.rollout.measure_wait(Condition.STABLE_EMPTY, world.now) >= over)
    world.unread.add("weights")
    drive.turn_until_step(StepName.CONFIRM_EMPTY)
    world.unread.clear()
    drive.ask("pause")
    turn_for(drive, LONG)
    assert drive.rollout.step.name is StepName.CONFIRM_EMPTY
    return drive


def unread(*what: str) -> Callable[[World], None]:
    return lambda world: world.unread.update(what)


def unwell(colour: str) -> Callable[[World], None]:
    def make_unwell(world: World) -> None:
        world.slots[colour].healthy_at = world.now + TURN_SECONDS / 2  # type: ignore[index]

    return make_unwell


def weights_elsewhere(world: World) -> None:
    world.weights = Weights(70, 30)


def sends_away(world: World) -> None:
    world.slots["blue"].moving_to = "green"


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


# A condition that stays false ends in its own time, however long the step took before


@dataclass(frozen=True)
class Lasting:
    """What stays bad, how long that is borne, and how it ends."""

    begin: Callable[[], Driver]
    spoil: Callable[[World], None]
    seconds: float
    outcome: str
    reason: str


def never_ready(world: World) -> None:
    world.slots["green"].ready = False


def stable_never_well(world: World) -> None:
    world.slots["blue"].healthy_at = world.now + LONG * 10


def keeps_sending_away(world: World) -> None:
    sends_away(world)
    world.slots["blue"].share_pct = 10


def weights_stay_elsewhere(world: World) -> None:
    world.weights_stick = True
    weights_elsewhere(world)


LASTING = {
    "read state, weights unread": Lasting(
        paused_at(StepName.READ_STATE),
        unread("weights"),
        PLAN.weight_timeout_seconds,
        "refused",
        "unknown",
    ),
    "wait healthy, never ready": Lasting(
        paused_at(StepName.WAIT_HEALTHY),
        never_ready,
        PLAN.start_timeout_seconds,
        "rolled_back",
        "not healthy within 10 s",
    ),
    "prove, stable silent": Lasting(
        paused_at(StepName.PROVE),
        unread("blue"),
        PLAN.start_timeout_seconds,
        "rolled_back",
        "could not prove Redis",
    ),
    "canary, weights unread": Lasting(
        moving_for_long,
        unread("weights"),
        PLAN.weight_timeout_seconds,
        "rolled_back",
        "did not take",
    ),
    "canary, weights taken away": Lasting(
        moving_for_long,
        weights_stay_elsewhere,
        PLAN.weight_timeout_seconds,
        "rolled_back",
        "did not take",
    ),
    "confirm empty, weights taken away": Lasting(
        confirming,
        weights_stay_elsewhere,
        PLAN.weight_timeout_seconds,
        "rolled_back",
        "did not take",
    ),
    "rollback, weights taken away": Lasting(
        returning_for_long,
        weights_stay_elsewhere,
        PLAN.weight_timeout_seconds,
        "stuck",
        "does not take",
    ),
    "rollback, stable unwell": Lasting(
        returning_for_long,
        stable_never_well,
        PLAN.start_timeout_seconds,
        "stuck",
        "no way back",
    ),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_stays_false_ends_in_its_own_time(name: str) -> None:
    case = LASTING[name]
    drive = case.begin()
    if drive.rollout.paused:
        drive.ask("resume")
        drive.requests[-1] = replace(drive.requests[-1], kind="pause")  # stays held
    case.spoil(drive.world)
    began = drive.world.now
    drive.turn_until(
        lambda: drive.rollout.outcome != "running" or drive.rollout.rollback is not None
    )
    if case.outcome == "stuck":
        drive.turn_until_end()
    ended = drive.world.now - began
    assert case.seconds <= ended <= case.seconds + 2
    rollback = drive.rollout.rollback
    assert case.reason in drive.rollout.reason + (rollback.reason if rollback else "")


def test_stable_that_keeps_sending_away_gets_its_own_time_on_the_way_back() -> None:
    drive = returning_for_long()
    began = drive.world.now
    while drive.rollout.outcome == "running":
        keeps_sending_away(drive.world)
        drive.turn()
    assert drive.rollout.outcome == "stuck"
    assert drive.world.now - began >= PLAN.start_timeout_seconds


# Times that are granted


def test_stragglers_have_their_time_from_when_they_may_move_again() -> None:
    drive = paused_at(StepName.WAIT_STRAGGLERS)()
    drive.ask("resume")
    began = drive.world.now
    assert drive.turn_until_end().outcome == "promoted"
    assert drive.world.now - began >= PLAN.drain_timeout_seconds
    assert drive.world.cut == [("blue", 2)]


def test_a_paused_canary_holds_its_verdict_up_for_as_long_as_any() -> None:
    drive = paused_at(StepName.CANARY, 50)()
    drive.world.slots["green"].answers = False
    drive.ask("resume")
    began = drive.world.now
    drive.turn_until(lambda: drive.rollout.rollback is not None)
    assert drive.world.now - began >= PLAN.hold_seconds


def test_time_that_stable_could_take_nobody_is_not_taken_from_the_sessions() -> None:
    drive = returning_for_long()
    world = drive.world
    world.slots["blue"].healthy_at = world.now + PLAN.start_timeout_seconds - 1
    assert drive.turn_until_end().outcome == "rolled_back"
    assert world.cut == []


def test_preparing_and_starting_each_have_their_own_time() -> None:
    drive = Driver(plan=PLAN.model_copy(update={"prepare_timeout_seconds": 20}))
    drive.world.start("green", V1)  # something else lies on the slot
    drive.turn_until(lambda: bool(drive.acted(StopColour)))
    drive.turn_until(lambda: bool(drive.acted(PrepareRelease)))
    rollout, seen = drive.rollout, drive.world.observe()
    rollout = rollout.keep(replace(rollout.recall(Starting), prepared=False))
    for seconds in range(19):
        rollout = decide(rollout, Turn(drive.world.now + seconds, seen)).rollout
        assert rollout.rollback is None
    prepared = (ActionResult(PrepareRelease(V2)),)
    decision = decide(rollout, Turn(drive.world.now + 19, seen, prepared))
    assert StartCandidate("green", V2) in decision.actions
    decision = decide(decision.rollout, Turn(drive.world.now + 28, seen))
    assert decision.rollout.rollback is None
    decision = decide(decision.rollout, Turn(drive.world.now + 30, seen))
    assert decision.rollout.rollback is not None


@pytest.mark.parametrize("forward", [True, False])
def test_a_stop_that_fails_once_late_is_tried_again(forward: bool) -> None:
    drive = Driver()
    drive.turn_until_step(StepName.END_OLD if forward else StepName.CANARY)
    if not forward:
        drive.ask("abort")
    colour: Colour = "blue" if forward else "green"
    drive.turn_until(lambda: StopColour(colour) in drive.acted(StopColour))
    rollout, seen = _still_there(drive), _with_both(drive.world)
    late = drive.world.now + END_OLD_SECONDS + 10
    failed = (ActionResult(StopColour(colour), fault="it does not end"),)
    decision = decide(rollout, Turn(late, seen, failed))
    assert decision.rollout.outcome == "running"
    assert StopColour(colour) in decision.actions
    decision = decide(decision.rollout, Turn(late + END_OLD_SECONDS + 1, seen))
    assert any("it does not end" in event.why for event in decision.events)


def _still_there(drive: Driver) -> Rollout:
    return next(d.rollout for d in reversed(drive.decisions) if d.rollout.outcome == "running")


def _with_both(world: World) -> Observation:
    for colour, release in (("blue", V1), ("green", V2)):
        world.start(colour, release)  # type: ignore[arg-type]
    world.tick(2)
    return world.observe()


def test_clocks_survive_writing() -> None:
    drive = moving_for_long()
    weights_stay_elsewhere(drive.world)
    drive.turn()
    assert drive.rollout.measure_wait(Condition.WEIGHTS_APPLIED, drive.world.now) > 0
    assert decode_rollout(encode_rollout(drive.rollout)).clocks == drive.rollout.clocks


def turn_for(drive: Driver, seconds: float) -> None:
    """Let time pass, turn by turn."""
    until = drive.world.now + seconds
    drive.turn_until(lambda: drive.world.now >= until)
