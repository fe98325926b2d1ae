"""Trouble of Redis hits both colours: it holds a rollout up and convicts no candidate."""

from dataclasses import replace

import pytest

from isshoni.rollout.actions import Migrate, StopColour
from isshoni.rollout.decide import decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Colour, FiringAlarm, Observation
from isshoni.rollout.steps import StepName
from isshoni.rollout.trouble import (
    RECOVERY_SECONDS,
    SETTLING_SECONDS,
    is_shared,
    note_trouble,
)
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, TURN_SECONDS, Driver

WARM = PLAN.model_copy(update={"keep_stable_seconds": 30.0, "shared_trouble_seconds": 20.0})
AT = {
    "canary 10 %": (StepName.CANARY, 10),
    "canary 100 %": (StepName.CANARY, 100),
    "warm": (StepName.END_OLD, None),
}


def drive_to(at: str, world: World | None = None) -> Driver:
    drive = Driver(world, plan=WARM)
    drive.turn_until_step(*AT[at])
    drive.turn()
    drive.turn()
    return drive


def blip(drive: Driver, seconds: float, first: Colour, skew: float) -> None:
    """Let Redis fail for both colours; one notices, and recovers, before the other."""
    world = drive.world
    second: Colour = "blue" if first == "green" else "green"
    changes = ((first, False, skew), (second, False, seconds), (first, True, skew))
    for colour, ready, lasts in (*changes, (second, True, 0.0)):
        world.slots[colour].ready = ready
        until = world.now + lasts
        while world.now < until:
            drive.turn()


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("first", ["blue", "green"])
@pytest.mark.parametrize("skew", [0.0, 1.5])
def test_redis_that_fails_for_both_colours_convicts_nobody(
    at: str, first: Colour, skew: float
) -> None:
    drive = drive_to(at)
    blip(drive, 10, first, skew)
    assert drive.rollout.rollback is None
    ended = drive.turn_until_end()
    assert ended.outcome == "promoted"
    told = [event.what for decision in drive.decisions for event in decision.events]
    assert told.count("shared_trouble") == told.count("shared_trouble_over") >= 1


@pytest.mark.parametrize("at", AT)
def test_candidate_that_alone_loses_redis_goes_back(at: str) -> None:
    drive = drive_to(at)
    drive.world.slots["green"].ready = False
    began = drive.world.now
    drive.turn_until(lambda: drive.rollout.rollback is not None)
    assert SETTLING_SECONDS <= drive.world.now - began <= SETTLING_SECONDS + 2 * TURN_SECONDS
    assert drive.turn_until_end().outcome == "rolled_back"


def test_candidate_that_does_not_recover_when_stable_does_goes_back() -> None:
    drive = drive_to("canary 10 %")
    drive.world.slots["blue"].ready = drive.world.slots["green"].ready = False
    for _ in range(20):
        drive.turn()
    drive.world.slots["blue"].ready = True
    began = drive.world.now
    drive.turn_until(lambda: drive.rollout.rollback is not None)
    assert drive.world.now - began <= RECOVERY_SECONDS + 1
    assert drive.turn_until_end().outcome == "rolled_back"


def test_candidate_that_may_be_the_cause_goes_back_after_a_while() -> None:
    drive = drive_to("canary 10 %")
    drive.world.slots["blue"].ready = drive.world.slots["green"].ready = False
    began = drive.world.now
    drive.turn_until(lambda: drive.rollout.rollback is not None)
    assert 20 <= drive.world.now - began <= 22
    assert drive.rollout.rollback and "may be the cause" in drive.rollout.rollback.reason


def test_death_is_excused_by_no_trouble_of_stable() -> None:
    drive = drive_to("canary 10 %")
    drive.world.slots["blue"].ready = drive.world.slots["green"].ready = False
    drive.turn()
    drive.world.kill("green", restart=True)
    drive.turn()
    assert drive.rollout.rollback is not None


def test_nobody_is_moved_to_a_candidate_that_is_not_well() -> None:
    world = World(clients=2000)
    drive = drive_to("canary 100 %", world)
    world.slots["blue"].ready = world.slots["green"].ready = False
    drive.turn()
    drive.turn()
    began, moved = len(drive.decisions), world.slots["green"].clients
    for _ in range(40):
        drive.turn()
    actions = [action for d in drive.decisions[began:] for action in d.actions]
    assert not any(isinstance(action, Migrate | StopColour) for action in actions)
    assert world.slots["green"].clients == moved
    world.slots["blue"].ready = world.slots["green"].ready = True
    assert drive.turn_until_end().outcome == "promoted"


def test_old_colour_is_not_ended_while_redis_fails_for_both() -> None:
    drive = drive_to("warm")
    drive.turn_until(lambda: drive.world.now - (drive.rollout.kept_since or 0) > 25)
    blip(drive, 12, "blue", 0.5)
    assert drive.rollout.can_turn_back and not drive.acted(StopColour)
    assert drive.turn_until_end().outcome == "promoted"


def test_alarm_that_goes_off_in_shared_trouble_does_not_count_later() -> None:
    drive = drive_to("canary 10 %")
    drive.world.slots["blue"].ready = drive.world.slots["green"].ready = False
    drive.turn()
    drive.world.alarms = frozenset({FiringAlarm("redis-errors", "green", drive.world.now)})
    drive.turn()
    drive.world.slots["blue"].ready = drive.world.slots["green"].ready = True
    assert drive.turn_until_end().outcome == "promoted"


def test_failures_during_shared_trouble_are_no_evidence() -> None:
    drive = drive_to("canary 100 %")
    slots = drive.world.slots
    slots["blue"].ready = slots["green"].ready = False
    drive.turn()
    for _ in range(70):  # longer than failures that only the candidate can show may last
        slots["green"].counters["redis_errors"] = (
            slots["green"].counters.get("redis_errors", 0) + 50
        )
        drive.turn()
    slots["blue"].ready = slots["green"].ready = True
    assert drive.turn_until_end().outcome == "promoted"


def test_counters_of_one_colour_wait_for_those_of_the_other() -> None:
    """What hit both at the same moment is weighed at the same look."""
    drive = drive_to("canary 10 %")
    drive.world.unread.add("blue")
    drive.world.slots["blue"].counters["redis_errors"] = 500
    drive.world.slots["green"].counters["redis_errors"] = 500
    drive.turn()
    drive.turn()
    assert drive.rollout.rollback is None
    assert drive.rollout.evidence and drive.rollout.evidence.weighed["redis errors"].bad == 0
    drive.world.unread.clear()
    assert drive.turn_until_end().outcome == "promoted"


def test_without_an_admin_port_health_is_compared() -> None:
    drive = drive_to("canary 10 %")
    rollout, seen = drive.rollout, drive.world.observe()
    ill = {colour: replace(slot, healthy=False) for colour, slot in seen.slots.items()}
    silent: Observation = replace(seen, slots=ill, backends=dict.fromkeys(ill))
    for second in range(8):
        rollout = decide(rollout, Turn(drive.world.now + second, silent)).rollout
    assert rollout.rollback is None


@pytest.mark.parametrize(
    ("theirs", "mine", "shared"),
    [
        ("Redis: no answer in 2 s", "Redis: connection refused", True),
        ("i-1: Redis: no answer; i-2: Redis: no answer", "i-3: Redis: refused", True),
        ("Redis: no answer in 2 s", "the page's assets are not there", False),
        (None, "Redis: no answer in 2 s", True),  # a stable that gives no reason
    ],
)
def test_trouble_is_shared_when_its_reasons_are(
    theirs: str | None, mine: str, shared: bool
) -> None:
    drive = drive_to("canary 10 %")
    seen = drive.world.observe()
    reasons = {"blue": theirs, "green": mine}
    slots = {colour: replace(slot, healthy=False) for colour, slot in seen.slots.items()}
    backends = {
        colour: status and replace(status, ready=False, not_ready_reason=reasons[colour])
        for colour, status in seen.backends.items()
    }
    ill = replace(seen, slots=slots, backends=backends)
    rollout, _ = note_trouble(drive.rollout, ill, drive.world.now)
    assert is_shared(rollout, ill, drive.world.now) is shared
