"""The story of a rollout, and what turns it round."""

import msgspec
import pytest

from isshoni.rollout.actions import (
    ApplyWeights,
    CancelMigration,
    Migrate,
    ProveCandidate,
)
from isshoni.rollout.decide import decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Formats, Proof, Release, Weights
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import resume_rollout
from isshoni.rollout.steps import StepName, plan_steps
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_rollout_environment import V1, V2, World
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
    world.slots["green"].people = 3
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
    world.candidate_faults = {"restarts": 3, "alive": False}
    drive = Driver(world)
    ended = drive.turn_until_end()
    assert "died 3 times while starting: exit code 3" in ended.reason
    assert ended.ended is not None and ended.ended - ended.began < 3


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
    world = World(people=4)
    drive = Driver(world, release=FOREIGN, stable=Release("theirs before", command="old {port}"))
    drive.turn_until_step(StepName.WAIT_STRAGGLERS)
    world.slots["blue"].people = 0
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
    world = World(people=500)
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: world.slots["green"].people > 60)
    drive.ask("pause")
    drive.turn()
    assert drive.acted(CancelMigration)
    assert world.slots["blue"].moving_to is None
    moved = world.slots["green"].people
    for _ in range(80):
        drive.turn()
    assert world.slots["green"].people == moved
    drive.ask("resume")
    assert drive.turn_until_end().outcome == "promoted"


# Blindness, memory


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


def test_state_survives_writing_and_fields_of_a_later_version() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 100)
    drive.turn()
    raw = msgspec.json.decode(encode_rollout(drive.rollout))
    raw["invented"] = 1
    raw["plan"]["invented"] = 2
    raw["stable"]["invented"] = 3
    assert decode_rollout(msgspec.json.encode(raw)) == drive.rollout
    assert drive.rollout.stable.release == V1


# Alarms


def test_alarm_that_goes_off_with_people_on_the_candidate_turns_it_back() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY)
    drive.turn()
    drive.world.alarms = frozenset({"5xx"})
    ended = drive.turn_until_end()
    assert ended.outcome == "rolled_back"
    assert "5xx" in ended.reason


def test_alarm_that_fired_before_does_not_block_the_fix_not_even_when_it_flaps() -> None:
    world = World()
    world.alarms = frozenset({"5xx"})
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY)
    drive.turn()
    for alarms in (frozenset[str](), frozenset({"5xx"})):
        world.alarms = alarms
        drive.turn()
    assert decode_rollout(encode_rollout(drive.rollout)).alarms_before == {"5xx"}
    assert drive.turn_until_end().outcome == "promoted"
