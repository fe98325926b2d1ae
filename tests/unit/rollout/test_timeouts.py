"""A condition that stays false ends in its own time, however long the step took before."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from isshoni.rollout.actions import ActionResult, PrepareRelease, StartCandidate, StopColour
from isshoni.rollout.decide import decide
from isshoni.rollout.forward import END_OLD_SECONDS
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Colour, Observation
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Starting
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import V1, V2, World
from tests.unit.rollout.driver import PLAN, Driver
from tests.unit.rollout.situations import (
    LONG,
    confirming,
    moving_for_long,
    paused_at,
    returning_for_long,
    sends_away,
    unread,
    weights_stay_elsewhere,
)


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
        "cannot roll back",
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
