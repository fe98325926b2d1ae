"""Live sessions move in proportion, at a pace, and back."""

from dataclasses import replace

import pytest

from isshoni.rollout.actions import CancelMigration, Migrate, SendProbes, StopColour
from isshoni.rollout.model import MigrationStatus, ProbeTally, Release, Weights
from isshoni.rollout.moving import STALL_SECONDS, describe_refusal
from isshoni.rollout.pace import start_rate
from isshoni.rollout.state import Moving, resume_rollout
from isshoni.rollout.steps import StepName
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, Driver

NO_MOVE = Moving("blue", 0.0, 1.0, 0.0, 0.0)
CEILING = PLAN.migrate_rate_per_second


def baking(drive: Driver, weight: int) -> None:
    drive.turn_until_step(StepName.CANARY, weight)
    drive.turn_until(lambda: drive.rollout.bake_began is not None)


# Proportions


@pytest.mark.spec("C3", "C4")
@pytest.mark.parametrize("weight", [10, 50, 100])
def test_canary_moves_its_share_of_live_sessions_before_it_bakes(weight: int) -> None:
    drive = Driver(World(clients=100))
    baking(drive, weight)
    assert drive.world.slots["green"].clients == weight
    assert drive.rollout.stable.colour == "blue"
    assert drive.world.weights == Weights(100 - weight, weight)


def test_bake_counts_from_when_the_share_has_moved() -> None:
    drive = Driver(World(clients=1000))
    drive.turn_until_step(StepName.CANARY, 50)
    began = drive.world.now
    drive.turn_until_step(StepName.CANARY, 100)
    # 400 clients at 20 a turn, each a quarter of a second.
    assert drive.world.now - began >= PLAN.bake_seconds + 5.0


def test_candidate_is_judged_while_its_share_still_moves() -> None:
    world = World(clients=4000)
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: world.slots["green"].clients > 500)
    world.slots["green"].error_share = 0.5
    drive.turn_until(lambda: drive.rollout.rollback is not None)
    assert drive.rollout.bake_began is None
    assert drive.turn_until_end().outcome == "rolled_back"
    assert (world.slots["blue"].clients, world.cut) == (4000, [])


@pytest.mark.parametrize(("weight", "probed"), [(50, {"blue", "green"}), (100, {"green"})])
def test_probes_go_where_they_are_not_sent_away_again(weight: int, probed: set[str]) -> None:
    drive = Driver(World(clients=50))
    drive.turn_until_step(StepName.CANARY, weight)
    began = len(drive.decisions)
    baking(drive, weight)
    actions = [action for decision in drive.decisions[began:] for action in decision.actions]
    rounds = [action for action in actions if isinstance(action, SendProbes)]
    assert {target.colour for it in rounds for target in it.targets} == probed


def test_people_who_do_not_move_hold_no_canary_up_for_ever() -> None:
    world = World(clients=50)
    world.slots["blue"].stubborn = 50
    drive = Driver(world)
    baking(drive, 10)
    assert world.slots["green"].clients == 0


def test_stable_that_does_not_answer_moves_nobody_and_does_not_block_the_fix() -> None:
    world = World(clients=0)
    world.slots["blue"].answers = False
    assert Driver(world, force=True).turn_until_end().outcome == "promoted"


@pytest.mark.spec("C9")
def test_stable_without_admin_api_is_left_by_weights_alone() -> None:
    world = World(clients=4)
    drive = Driver(world, stable=Release("theirs", command="old {port}"))
    baking(drive, 50)
    assert drive.acted(Migrate) == []


# The way back


def test_rollback_calls_off_the_move_though_its_share_is_done() -> None:
    drive = Driver(World(clients=100))
    baking(drive, 10)
    drive.ask("abort")
    decision = drive.turn()
    assert CancelMigration("blue") in decision.actions
    # Nobody comes home while stable would send them away again.
    assert not any(isinstance(action, Migrate) for action in decision.actions)
    assert drive.turn_until_end().outcome == "rolled_back"
    assert drive.world.slots["blue"].clients == 100
    assert drive.world.cut == []


def test_candidate_is_not_stopped_while_the_stable_still_sends_people_to_it() -> None:
    drive = Driver(World(clients=100))
    baking(drive, 10)
    drive.ask("abort")
    slot = drive.world.slots["blue"]
    while drive.rollout.outcome == "running":
        drive.turn()
        slot.moving_to = "green"  # it does not obey
        slot.share_pct, slot.clients, drive.world.slots["green"].clients = 10, 100, 0
    assert drive.rollout.outcome == "stuck"
    assert "does not stop sending sessions away" in drive.rollout.reason
    assert drive.acted(StopColour) == []


def test_balancer_that_takes_no_weights_on_the_way_back_is_noticed_by_its_timeout() -> None:
    drive = Driver()
    baking(drive, 50)
    drive.world.weights_stick = True
    drive.ask("rollback")
    drive.turn()
    began = drive.world.now
    ended = drive.turn_until_end()
    assert ended.outcome == "stuck"
    assert "does not take blue 100 % / green 0 %" in ended.reason
    assert drive.world.now - began <= PLAN.weight_timeout_seconds + 1


# Pace


def test_move_starts_slowly_and_speeds_up_while_the_candidate_is_idle() -> None:
    drive = Driver(World(clients=4000))
    drive.turn_until_step(StepName.CANARY, 100)
    rates = [
        action.rate_per_second for action in drive.acted(Migrate) if isinstance(action, Migrate)
    ]
    assert rates[0] == start_rate(CEILING)
    assert max(rates) == CEILING
    assert rates == sorted(rates)


def test_busy_candidate_slows_the_move_down_and_a_resumed_engine_keeps_its_pace() -> None:
    world = World(clients=8000)
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY, 50)
    world.slots["green"].gauges = {"cpu_pct": 160.0}
    began = world.now
    drive.turn_until(lambda: world.now - began > 4)
    moving = drive.rollout.moving
    assert moving is not None and moving.rate_per_second < CEILING / 3
    assert world.slots["blue"].rate_per_second == pytest.approx(moving.rate_per_second, rel=0.5)
    raw = encode_rollout(drive.rollout)
    resumed = resume_rollout(decode_rollout(raw), world.now).moving
    assert resumed == replace(moving, paced_at=world.now, progressed_at=world.now)


# Pause, skip, keep


def test_pause_says_who_and_skipping_the_bake_does_not_resume() -> None:
    drive = Driver(plan=PLAN.model_copy(update={"bake_seconds": 60.0}))
    baking(drive, 10)
    drive.ask("pause")
    drive.ask("skip_bake")
    for _ in range(20):
        drive.turn()
    assert (drive.rollout.paused_by, drive.rollout.step.weight) == ("ann", 10)
    drive.ask("resume")
    drive.turn()
    assert drive.rollout.step.weight == 50
    assert not drive.rollout.skip_bake


def test_skipping_a_bake_skips_only_this_one() -> None:
    drive = Driver(plan=PLAN.model_copy(update={"bake_seconds": 60.0}))
    baking(drive, 10)
    drive.ask("skip_bake")
    baking(drive, 50)
    began = drive.world.now
    drive.turn_until_step(StepName.CANARY, 100)
    assert drive.world.now - began >= 59


def test_skipping_a_bake_does_without_the_traffic_that_a_verdict_needs() -> None:
    world = World(clients=0)
    world.slots["green"].probed = ProbeTally({})
    drive = Driver(world)
    baking(drive, 10)
    drive.ask("skip_bake")
    drive.turn_until(lambda: drive.rollout.judgements != () or drive.rollout.rollback is not None)
    assert [it.verdict.kind for it in drive.rollout.judgements] == ["inconclusive"]


def test_skipping_a_bake_skips_no_verdict() -> None:
    world = World()
    drive = Driver(world, plan=PLAN.model_copy(update={"bake_seconds": 60.0}))
    baking(drive, 10)
    world.slots["green"].error_share = 0.5
    world.tick(5)
    drive.ask("skip_bake")
    assert drive.turn_until_end().outcome == "rolled_back"


def test_skipping_where_nothing_bakes_is_refused() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.WAIT_HEALTHY)
    drive.ask("skip_bake")
    decision = drive.turn()
    assert decision.events[0].what == "too_late"
    assert "nothing to skip" in decision.events[0].why


KEEPING = PLAN.model_copy(update={"keep_stable_seconds": 30.0})


def test_old_colour_is_kept_warm_and_then_ended() -> None:
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    began = drive.world.now
    assert drive.turn_until_end().outcome == "promoted"
    assert 30 <= drive.world.now - began < 32


@pytest.mark.spec("C6")
def test_rollback_while_the_old_colour_is_warm_starts_nothing() -> None:
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    drive.turn()
    began = drive.world.now
    drive.ask("rollback")
    assert drive.turn_until_end().outcome == "rolled_back"
    assert drive.world.now - began < 3
    assert (drive.world.slots["blue"].clients, drive.world.cut) == (50, [])
    assert drive.world.slots["blue"].release is not None


def test_candidate_that_dies_while_the_old_colour_is_warm_is_rolled_back() -> None:
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    drive.turn()
    drive.world.kill("green", restart=True)
    assert drive.turn_until_end().outcome == "rolled_back"


def test_engine_that_comes_back_keeps_to_the_time_that_was_promised() -> None:
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    drive.turn()
    began = drive.world.now
    drive.world.tick(20)
    drive.rollout = resume_rollout(decode_rollout(encode_rollout(drive.rollout)), drive.world.now)
    drive.turn()
    assert drive.rollout.can_turn_back
    drive.turn_until_end()
    assert drive.world.now - began < 32


def test_keeping_warm_can_be_cut_short_or_held() -> None:
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    drive.ask("pause")
    began = drive.world.now
    drive.turn_until(lambda: drive.world.now - began > 60)
    assert drive.acted(StopColour) == []
    drive.ask("resume")
    assert drive.turn_until_end().outcome == "promoted"
    drive = Driver(plan=KEEPING)
    drive.turn_until_step(StepName.END_OLD)
    drive.ask("skip_bake")
    began = drive.world.now
    drive.turn_until_end()
    assert drive.world.now - began < 2


# Clients that the candidate turns away


@pytest.mark.parametrize(
    ("failures", "moved", "hopeless"),
    [
        ({"refused": 50}, 0, True),
        ({"refused": 50}, 1, False),
        ({"unreachable": 50}, 0, True),
        ({"unreachable": 50}, 1, False),
        ({"new_ended": 50}, 0, True),
        ({"refused": 20, "unreachable": 30}, 0, True),
        ({"refused": 49, "never_quiet": 1}, 0, False),
        ({"protocol": 50}, 0, False),
        ({}, 0, False),
    ],
)
def test_a_move_is_hopeless_if_the_candidate_turns_every_client_away(
    failures: dict[str, int], moved: int, hopeless: bool
) -> None:
    world = World(clients=50)
    drive = Driver(world)
    drive.turn_until_step(StepName.CANARY, 50)
    drive.turn_until(lambda: (drive.rollout.moving or NO_MOVE).share_pct == 50.0)
    seen = world.observe()
    before = seen.backends["blue"]
    assert before is not None
    move = MigrationStatus("green", 50, moved, 0, 50 - moved, False, 20.0, 50.0, 0, failures)
    stuck = replace(seen, backends={**seen.backends, "blue": replace(before, migration=move)})
    late = world.now + PLAN.migrate_within_seconds + STALL_SECONDS + 5.0
    assert describe_refusal(drive.rollout, stuck, world.now) is None
    found = describe_refusal(drive.rollout, stuck, late)
    assert (found is not None) == hopeless
