"""Deploys against a simulated environment, with a real journal in a file."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import LeaseHeld, LeaseLost, NothingToDo, UnfinishedRollout
from isshoni.engine.lease import describe_self
from isshoni.engine.operations import Engine, deploy, request, rollback
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.report import RolloutReport
from isshoni.engine.snapshot import list_history, take_snapshot
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.errors import ExitCode
from isshoni.rollout.model import Proof, Release, Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    journal = SqliteJournal(tmp_path / "journal.db")
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    yield Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "tester")
    journal.close()


@pytest.mark.spec("C1", "C2", "C3", "C4", "C5")
async def test_good_release_is_promoted_and_nobody_is_cut(world: World, engine: Engine) -> None:
    report = await deploy(engine, V2, PLAN)
    assert (report.outcome, report.exit_code) == ("promoted", ExitCode.OK)
    assert world.weights == Weights(0, 100)
    assert world.slots["blue"].release is None
    assert world.slots["green"].clients == 50
    assert world.cut == []
    assert engine.environment.journal.read_stable() == Stable("green", V2)
    assert len(report.steps) == 12
    assert report.bake_seconds == 6.0
    assert report.seconds - report.bake_seconds < 5
    assert [j.verdict.kind for j in report.judgements] == ["pass"] * 3


async def test_the_end_of_a_colour_is_not_cut_off_when_it_looks_ended(
    world: World, engine: Engine
) -> None:
    world.slow["tidy"] = 3.0
    report = await deploy(engine, V2, PLAN)
    assert report.outcome == "promoted"
    assert world.acts[-1] == "tidy blue"


@pytest.mark.spec("C3", "C6")
async def test_release_that_fails_requests_is_rolled_back(world: World, engine: Engine) -> None:
    world.candidate_faults = {"error_share": 0.2}
    report = await deploy(engine, V2, PLAN)
    assert (report.outcome, report.exit_code) == ("rolled_back", ExitCode.ROLLED_BACK)
    assert "5xx" in report.reason
    assert world.weights == Weights(100, 0)
    assert world.slots["green"].release is None
    assert report.rollback_seconds is not None
    assert report.rollback_seconds.new_connections is not None
    assert report.rollback_seconds.new_connections <= 1
    assert engine.environment.journal.read_stable() == Stable("blue", V1)


async def test_release_that_cannot_read_sessions_gets_nobody(world: World, engine: Engine) -> None:
    world.candidate_faults = {"proof": Proof(True, 3, 2, "unknown envelope")}
    report = await deploy(engine, V2, PLAN)
    assert report.outcome == "rolled_back"
    assert "2 of 3 sessions" in report.reason
    assert not any(act.startswith("apply_weights") for act in world.acts)


async def test_rollback_after_a_deploy_brings_the_previous_release(
    world: World, engine: Engine
) -> None:
    await deploy(engine, V2, PLAN)
    report = await rollback(engine, plan=PLAN)
    assert (report.outcome, report.release) == ("promoted", "v1")
    assert engine.environment.journal.read_stable() == Stable("blue", V1)
    assert world.slots["blue"].clients == 50


async def test_nothing_deployed_yet_says_what_to_do(world: World, tmp_path: Path) -> None:
    ports = FakePorts(world)
    journal = SqliteJournal(tmp_path / "empty.db")
    empty = Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world))
    with pytest.raises(NothingToDo, match="isshoni up"):
        await deploy(empty, V2, PLAN)
    with pytest.raises(NothingToDo, match="no release before"):
        await rollback(empty)
    with pytest.raises(NothingToDo, match="none to pause"):
        request(empty, "pause")
    journal.close()


async def test_first_interrupt_rolls_back(world: World, engine: Engine) -> None:
    controls = Controls()

    def interrupt(progress: TurnReport) -> None:
        if progress.rollout.step.weight == 50 and not progress.rollout.rollback:
            controls.request_abort("ann")

    report = await deploy(engine, V2, PLAN, controls=controls, on_progress=interrupt)
    assert (report.outcome, report.reason) == ("rolled_back", "abort asked by ann")
    assert world.slots["blue"].clients == 50


async def test_left_rollout_is_resumed_by_deploying_the_same_release(
    world: World, engine: Engine
) -> None:
    left = await leave_at_half(engine)
    assert (left.outcome, left.exit_code) == ("running", ExitCode.INTERRUPTED)
    report = await deploy(engine, V2, PLAN)
    assert (report.id, report.outcome) == (left.id, "promoted")
    assert world.acts.count("start green v2") == 1


async def test_left_rollout_refuses_another_release(engine: Engine) -> None:
    await leave_at_half(engine)
    with pytest.raises(UnfinishedRollout, match=r"canary 50 %.*isshoni deploy v2"):
        await deploy(engine, Release("v3"), PLAN)


@pytest.mark.spec("C6", "C7")
async def test_rollback_takes_over_from_a_dead_engine(world: World, engine: Engine) -> None:
    left = await leave_at_half(engine)
    report = await rollback(engine)
    assert (report.id, report.outcome) == (left.id, "rolled_back")
    assert world.weights == Weights(100, 0)


@pytest.mark.spec("C6")
async def test_rollback_from_another_terminal_is_followed_to_its_end(
    world: World, engine: Engine, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    other_terminal = Engine(replace(engine.environment, journal=journal), engine.clock, "bob")
    shown: list[TurnReport] = []
    asked: list[asyncio.Task[RolloutReport]] = []

    def ask_at_half(progress: TurnReport) -> None:
        if progress.rollout.step.weight == 50 and not asked:
            back = rollback(other_terminal, on_progress=shown.append)
            asked.append(asyncio.create_task(back))

    report = await deploy(engine, V2, PLAN, on_progress=ask_at_half)
    followed = await asked[0]
    assert (report.outcome, report.reason) == ("rolled_back", "rollback asked by bob")
    assert (followed.id, followed.outcome) == (report.id, "rolled_back")
    told = [event.what for progress in shown for event in progress.events]
    assert "rollback" in told and "traffic_home" in told
    recorded = {(r.at, r.what, r.why) for r in journal.read_records(report.id)}
    assert {(p.at, event.what, event.why) for p in shown for event in p.events} <= recorded
    journal.close()


async def test_following_another_engine_can_be_left_while_the_rollout_goes_on(
    world: World, engine: Engine, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    other_terminal = Engine(replace(engine.environment, journal=journal), engine.clock, "bob")
    controls, asked = Controls(), list[asyncio.Task[RolloutReport]]()
    world.slots["blue"].clients = 2000  # it takes a while until all are back

    def leave_soon(progress: TurnReport) -> None:
        if controls.following and any(e.what == "traffic_home" for e in progress.events):
            controls.leave()

    def ask_at_half(progress: TurnReport) -> None:
        if progress.rollout.bake_began and progress.rollout.step.weight == 50 and not asked:
            back = rollback(other_terminal, controls=controls, on_progress=leave_soon)
            asked.append(asyncio.create_task(back))

    report = await deploy(engine, V2, PLAN, on_progress=ask_at_half)
    followed = await asked[0]
    assert (followed.outcome, followed.exit_code) == ("running", ExitCode.INTERRUPTED)
    assert (report.outcome, report.reason) == ("rolled_back", "rollback asked by bob")
    journal.close()


@pytest.mark.spec("C7")
async def test_second_deploy_is_refused_while_one_runs(world: World, engine: Engine) -> None:
    refused: list[BaseException] = []

    async def try_another() -> None:
        with pytest.raises(LeaseHeld) as held:
            await deploy(engine, Release("v3"), PLAN)
        refused.append(held.value)

    tries: list[asyncio.Task[None]] = []

    def start_another(progress: TurnReport) -> None:
        if not tries:
            tries.append(asyncio.create_task(try_another()))

    report = await deploy(engine, V2, PLAN, on_progress=start_another)
    await tries[0]
    assert report.outcome == "promoted"
    assert "deploy v2" in str(refused[0])


@pytest.mark.spec("C7")
async def test_engine_that_lost_its_lease_touches_nothing_more(
    world: World, engine: Engine
) -> None:
    acts: list[int] = []

    def sleep_too_long(progress: TurnReport) -> None:
        if progress.rollout.step.weight == 50 and not acts:
            world.tick(60)
            thief = describe_self("another deploy", world.now)
            engine.environment.journal.take_lease(thief, now=world.now, ttl_seconds=5)
            acts.append(len(world.acts))

    with pytest.raises(LeaseLost):
        await deploy(engine, V2, PLAN, on_progress=sleep_too_long)
    assert len(world.acts) == acts[0]


async def test_stuck_rollback_goes_on_once_the_stable_is_mended(
    world: World, engine: Engine
) -> None:
    def kill_stable(progress: TurnReport) -> None:
        if progress.rollout.step.weight == 50 and world.slots["blue"].alive:
            world.kill("blue")
            request(engine, "rollback")

    stuck = await deploy(engine, V2, PLAN, on_progress=kill_stable)
    assert (stuck.outcome, stuck.exit_code) == ("stuck", ExitCode.STUCK)
    assert world.weights == Weights(0, 100)
    world.slots["blue"].alive = True
    report = await rollback(engine)
    assert (report.id, report.outcome) == (stuck.id, "rolled_back")
    assert world.slots["blue"].clients == 50


async def test_slow_install_does_not_keep_the_engine_from_hearing(
    world: World, engine: Engine
) -> None:
    world.slow = {"prepare": 600.0}

    def abort(progress: TurnReport) -> None:
        if progress.at > progress.rollout.began + 30 and not progress.rollout.rollback:
            request(engine, "abort")

    report = await deploy(engine, V2, PLAN, on_progress=abort)
    assert report.outcome == "rolled_back"
    assert report.seconds < 35
    assert "prepare v2" not in world.acts


async def test_snapshot_and_history_are_plain_json(engine: Engine) -> None:
    await deploy(engine, V2, PLAN)
    snapshot = json.loads(json.dumps(await take_snapshot(engine.environment, 1.0)))
    since = snapshot["rollout"]["ended"]
    assert snapshot["stable"] == {"colour": "green", "release": "v2", "since": since}
    assert snapshot["rollout"]["outcome"] == "promoted"
    assert snapshot["seen"]["weights_verified"] == {"blue": 0, "green": 100}
    assert snapshot["engine"] is None
    reports = [json.loads(json.dumps(r.to_json())) for r in list_history(engine.environment, 1.0)]
    assert [(report["release"], report["exit_code"]) for report in reports] == [("v2", 0)]


async def leave_at_half(engine: Engine) -> RolloutReport:
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.step.weight == 50:
            controls.leave()

    return await deploy(engine, V2, PLAN, controls=controls, on_progress=leave)
