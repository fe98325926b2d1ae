"""Steps 1 to 4: what a rollout starts from, and what a candidate must show first."""

import pytest

from isshoni.rollout.actions import (
    ApplyWeights,
    ProveCandidate,
)
from isshoni.rollout.model import Formats, Proof, Release, Weights
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import V2, World
from tests.unit.rollout.driver import PLAN, Driver

FOREIGN = Release("their app", command="serve --port {port}")


# Start


def test_refuses_to_start_from_a_sick_stable_unless_forced() -> None:
    world = World()
    world.kill("blue")
    drive = Driver(world)
    ended = drive.turn_until_end()
    assert ended.outcome == "refused"
    assert "--force" in ended.reason
    assert drive.world.acts == []


def test_forced_fix_gets_past_a_sick_stable() -> None:
    world = World()
    world.kill("blue")
    assert Driver(world, force=True).turn_until_end().outcome == "promoted"


def test_refuses_to_start_when_weights_are_not_on_stable() -> None:
    world = World()
    world.weights = Weights(60, 40)
    ended = Driver(world, force=True).turn_until_end()
    assert ended.outcome == "refused"
    assert "blue 60 % / green 40 %" in ended.reason


def test_refuses_to_take_a_slot_with_people_on_it() -> None:
    world = World()
    world.start("green", Release("left behind"))
    world.slots["green"].clients = 3
    world.tick(2)
    ended = Driver(world).turn_until_end()
    assert ended.outcome == "refused"
    assert "3 connections" in ended.reason


def test_ends_what_was_left_on_the_idle_slot_before_it_starts() -> None:
    world = World()
    world.start("green", Release("left behind"))
    drive = Driver(world)
    drive.turn_until_step(StepName.WAIT_HEALTHY)
    assert drive.world.slots["green"].release == V2


# Health and proof


def test_candidate_not_healthy_in_time_is_rolled_back_with_its_reason() -> None:
    world = World()
    world.candidate_faults = {"ready": False}
    ended = Driver(world).turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "Redis does not answer" in ended.reason
    assert world.weights == Weights(100, 0)


def test_candidate_that_keeps_dying_is_given_up_before_the_timeout() -> None:
    world = World()
    world.candidate_faults = {"restarts": 3, "alive": False, "last_exit": "exit code 3"}
    drive = Driver(world)
    ended = drive.turn_until_end()
    assert "died 3 times while starting: exit code 3" in ended.reason
    assert ended.ended is not None and ended.ended - ended.began < 3


def test_candidate_that_the_environment_cannot_start_is_given_up_with_its_reason() -> None:
    plan = PLAN.model_copy(update={"start_timeout_seconds": 900.0})
    world = World()
    why = "(service backend) was unable to place a task: insufficient memory"
    world.candidate_faults = {"ready": False, "start_fault": why}
    drive = Driver(world, plan=plan)
    ended = drive.turn_until_end()
    assert f"green cannot be started: {why}" in ended.reason
    assert ended.ended is not None and 180 < ended.ended - ended.began < 200


def test_candidate_that_could_not_be_started_for_a_moment_goes_on() -> None:
    world = World()
    world.candidate_faults = {"ready": False, "start_fault": "no machine is free"}
    drive = Driver(world, plan=PLAN.model_copy(update={"start_timeout_seconds": 900.0}))
    drive.turn_until_step(StepName.WAIT_HEALTHY)
    for _ in range(600):  # 150 s
        drive.turn()
    world.slots["green"].ready, world.slots["green"].start_fault = True, None
    assert drive.turn_until_end().outcome == "promoted"


def test_redis_that_comes_late_is_asked_for_again() -> None:
    world = World()
    world.candidate_faults = {"proof": Proof(False, 0, 0, "connection refused")}
    drive = Driver(world)
    drive.turn_until(lambda: len(drive.acted(ProveCandidate)) == 2)
    world.slots["green"].proof = Proof(True, 3, 3)
    assert drive.turn_until_end().outcome == "promoted"


@pytest.mark.spec("C2")
@pytest.mark.parametrize(("force", "outcome"), [(False, "rolled_back"), (True, "promoted")])
def test_one_damaged_session_stops_a_release_but_not_a_forced_one(
    force: bool, outcome: str
) -> None:
    world = World()
    fault = "session s holds what cannot be read"
    world.candidate_faults = {"proof": Proof(True, 10, 9, fault, ("s",))}
    ended = Driver(world, force=force).turn_until_end()
    assert ended.outcome == outcome
    if not force:
        assert "could read only 9 of 10 sessions" in ended.reason


def test_proof_that_broke_off_is_asked_for_again() -> None:
    world = World()
    world.candidate_faults = {"proof": Proof(True, 10, 4, "no answer in 2 s")}
    drive = Driver(world)
    drive.turn_until(lambda: len(drive.acted(ProveCandidate)) == 2)
    world.slots["green"].proof = Proof(True, 10, 10)
    assert drive.turn_until_end().outcome == "promoted"


@pytest.mark.spec("C2", "A5")
@pytest.mark.parametrize(
    ("stable_reads", "damaged"),
    [
        (Proof(True, 1, 0, "damaged", ("s",)), 1),
        (Proof(True, 1, 1), 0),  # only the candidate cannot read it
        (Proof(True, 10, 10), 0),  # a version that was asked for all, and does not name any
        (Proof(False, 0, 0, "does not answer"), 0),
    ],
)
def test_only_a_session_that_stable_can_read_convicts_a_candidate_that_cannot(
    stable_reads: Proof, damaged: int
) -> None:
    proof = Proof(True, 10, 9, "session s holds what cannot be read", ("s",))
    excused = proof.excuse(stable_reads)
    assert (excused.holds, excused.damaged) == (damaged == 1, damaged)


def test_proof_that_broke_off_or_read_nothing_is_not_excused() -> None:
    stable = Proof(True, 1, 0, "damaged", ("s",))
    assert not Proof(True, 10, 4, "no answer in 2 s", ("s",)).excuse(stable).holds
    assert not Proof(True, 1, 0, "damaged", ("s",)).excuse(stable).holds


SEALING = Formats(writes=("chat:1", "seal:k1"), reads=("chat:1", "seal:none", "seal:k1"))


@pytest.mark.spec("A5", "C2")
def test_candidate_that_writes_what_stable_cannot_read_is_refused_before_anybody_meets_it() -> None:
    world = World()
    world.candidate_faults = {"formats": SEALING}
    ended = Driver(world).turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "v2 writes what v1 cannot read: seal:k1" in ended.reason
    assert "--force" in ended.reason
    assert not ended.exposed


@pytest.mark.spec("A5")
def test_the_reason_for_an_unhealthy_program_names_its_ready_path() -> None:
    world = World()
    world.candidate_faults = {"healthy_at": world.now + 10_000.0}
    ended = Driver(world, release=FOREIGN).turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "fails the balancer's health check (/readyz must answer 200)" in ended.reason


@pytest.mark.parametrize("release", [FOREIGN, V2])
def test_forced_and_foreign_releases_are_not_held_to_formats(release: Release) -> None:
    world = World()
    world.candidate_faults = {"formats": SEALING}
    drive = Driver(world, release=release, force=release is V2)
    assert drive.turn_until_end().outcome == "promoted"


@pytest.mark.spec("A5")
def test_candidate_of_another_wire_protocol_is_refused_before_any_client_meets_it() -> None:
    world = World()
    world.slots["blue"].protocol = 1
    world.candidate_faults = {"protocol": 2}
    drive = Driver(world)
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back" and not drive.acted(ApplyWeights)
    assert "v2 speaks version 2 of the wire protocol and v1 version 1" in ended.reason
    world = World()
    world.slots["blue"].protocol = 1
    world.candidate_faults = {"protocol": 2}
    assert Driver(world, force=True).turn_until_end().outcome == "promoted"


def test_proof_waits_for_a_stable_that_is_silent_and_tells_its_formats_later() -> None:
    world = World()
    drive = Driver(world)
    drive.turn_until_step(StepName.PROVE)
    world.slots["blue"].answers = False
    for _ in range(8):
        drive.turn()
    assert drive.rollout.step.name is StepName.PROVE
    world.slots["blue"].answers = True
    assert drive.turn_until_end().outcome == "promoted"


# Side programs


def test_waits_until_the_side_programs_of_the_candidate_run() -> None:
    drive = Driver(World())
    drive.turn_until_step(StepName.WAIT_HEALTHY)
    drive.world.slots["green"].side_programs_down = ("green-worker (exit code 3: no queue)",)
    for _ in range(20):
        drive.turn()
    assert drive.rollout.step.name is StepName.WAIT_HEALTHY
    drive.world.slots["green"].side_programs_down = ()
    drive.turn_until_step(StepName.CANARY)


def test_names_the_side_program_that_never_runs() -> None:
    drive = Driver(World())
    drive.turn_until_step(StepName.WAIT_HEALTHY)
    drive.world.slots["green"].side_programs_down = ("green-worker (exit code 3: no queue)",)
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "not running: green-worker (exit code 3: no queue)" in ended.reason


def test_silent_stable_that_is_healthy_is_refused_without_advice_to_force() -> None:
    world = World()
    world.slots["blue"].answers = False
    ended = Driver(world).turn_until_end()
    assert ended.outcome == "refused"
    assert "does not answer on its admin port" in ended.reason
    assert "VPC" in ended.reason and "isshoni doctor" in ended.reason
    assert "force" not in ended.reason
