"""Which alarms of an outside monitor turn a rollout back."""

import random
from dataclasses import replace

import pytest

from isshoni.rollout.alarms import LATE_SECONDS
from isshoni.rollout.model import Colour, FiringAlarm
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.steps import StepName
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, Driver

LONG = PLAN.model_copy(update={"bake_seconds": 400.0, "weights": (100,)})
"""Bakes long enough for an alarm that looks back over two minutes."""


def drive_to_canary(plan: RolloutPlan = PLAN) -> Driver:
    """Return a rollout with clients on the candidate, and enough requests to judge it."""
    drive = Driver(plan=plan)
    drive.turn_until_step(StepName.CANARY)
    drive.turn_until(lambda: drive.rollout.bake_began is not None)
    drive.world.slots["green"].requests += 1000
    drive.turn()
    return drive


def fire(drive: Driver, colour: Colour | None, figures_from: float | None) -> None:
    """Let an alarm fire that looks back over two minutes."""
    drive.world.alarms = frozenset({FiringAlarm("5xx", colour, figures_from, 120.0)})


def test_alarm_about_the_candidate_rolls_it_back() -> None:
    drive = drive_to_canary()
    fire(drive, "green", drive.world.now)
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "went off while clients could be on green: 5xx" in ended.reason


@pytest.mark.parametrize("colour", ["blue", None])
def test_alarm_about_stable_or_about_both_rolls_nothing_back(colour: Colour | None) -> None:
    drive = drive_to_canary()
    fire(drive, colour, drive.world.now)
    assert drive.turn_until_end().outcome == "promoted"


@pytest.mark.parametrize("figures_from", [-60.0, None])
def test_late_alarm_about_the_boot_rolls_nothing_back(figures_from: float | None) -> None:
    drive = drive_to_canary(LONG)
    exposed_at = drive.rollout.exposed_at
    assert exposed_at is not None
    fire(drive, "green", None if figures_from is None else exposed_at + figures_from)
    drive.turn_until(lambda: drive.world.now > exposed_at + LATE_SECONDS + 110)
    drive.world.alarms = frozenset()
    assert drive.turn_until_end().outcome == "promoted"


def test_alarm_about_the_boot_that_goes_on_firing_counts_once_its_figures_are_new() -> None:
    drive = drive_to_canary(LONG)
    exposed_at = drive.rollout.exposed_at
    assert exposed_at is not None
    fire(drive, "green", exposed_at - 60)
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert (ended.rollback.began if ended.rollback else 0) >= exposed_at + 120 + LATE_SECONDS


def test_alarm_about_few_requests_rolls_nothing_back() -> None:
    limits = PLAN.thresholds.model_copy(update={"min_attempts": 1_000_000})
    plan = PLAN.model_copy(update={"thresholds": limits, "require_traffic": False})
    drive = drive_to_canary(plan)
    fire(drive, "green", drive.world.now)
    assert drive.turn_until_end().outcome == "promoted"


def test_alarm_that_fired_before_does_not_block_the_fix_not_even_when_it_flaps() -> None:
    world = World()
    world.alarms = alarms = frozenset({FiringAlarm("5xx", "green", world.now)})
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY)
    drive.turn()
    for firing in (frozenset[FiringAlarm](), alarms):
        world.alarms = firing
        drive.turn()
    assert decode_rollout(encode_rollout(drive.rollout)).alarms_before == {"5xx"}
    world.alarms = frozenset(replace(alarm, figures_from=world.now) for alarm in alarms)
    assert drive.turn_until_end().outcome == "promoted"


def test_alarm_does_not_send_sessions_back_to_a_sick_stable() -> None:
    drive = drive_to_canary()
    drive.world.slots["blue"].ready = False
    drive.world.alarms = frozenset({FiringAlarm("unhealthy-targets-blue", "blue", drive.world.now)})
    for _ in range(40):
        drive.turn()
    assert drive.rollout.rollback is None


# Machines that fail the balancer's health check


@pytest.mark.parametrize("seed", range(20))
def test_one_flapping_machine_of_ten_ends_no_rollout(seed: int) -> None:
    chance = random.Random(seed)
    drive = Driver()
    drive.world.candidate_faults = {"targets": (10, 10)}
    drive.turn_until_step(StepName.CANARY)
    while drive.rollout.outcome == "running":
        if chance.random() < 0.1:  # it changes each 2.5 s or so
            drive.world.slots["green"].targets = (chance.choice([9, 10]), 10)
        drive.turn()
    assert drive.rollout.outcome == "promoted"


def test_candidate_with_too_few_healthy_machines_is_rolled_back() -> None:
    drive = Driver()
    drive.world.candidate_faults = {"targets": (10, 10)}
    drive.turn_until_step(StepName.CANARY, 50)
    drive.world.slots["green"].targets = (5, 10)
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "green fails the balancer's health check (5 of 10 targets)" in ended.reason


def test_candidate_is_not_exposed_before_all_its_machines_are_healthy() -> None:
    drive = Driver()
    drive.world.candidate_faults = {"targets": (9, 10)}
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert ended.reason.startswith("not healthy within")
    assert not drive.rollout.exposed


def test_unhealthy_observations_must_follow_one_another() -> None:
    drive = drive_to_canary(PLAN.model_copy(update={"unhealthy_observations": 20}))
    slot = drive.world.slots["green"]
    for healthy in ([False] * 19 + [True]) * 2:
        slot.ready = healthy
        drive.turn()
    assert drive.rollout.rollback is None
    assert decode_rollout(encode_rollout(drive.rollout)).unhealthy_seen == 0
    slot.ready = False
    for _ in range(21):
        drive.turn()
    assert drive.rollout.rollback is not None


def test_sick_machine_of_stable_neither_blocks_a_deploy_nor_a_rollback() -> None:
    drive = Driver()
    drive.world.slots["blue"].targets = (9, 10)
    drive.turn_until_step(StepName.CANARY, 50)
    drive.ask("rollback")
    assert drive.turn_until_end().outcome == "rolled_back"
