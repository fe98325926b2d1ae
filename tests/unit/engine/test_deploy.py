"""Deploys against a simulated environment, with a real journal in a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy, rollback
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.errors import ExitCode
from isshoni.rollout.model import Proof, Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_rollout_environment import V1, V2, FakePorts, World, WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    journal = SqliteJournal(tmp_path / "journal.db")
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    yield Engine(Environment(ports, ports, ports, journal), WorldClock(world), "tester")
    journal.close()


@pytest.mark.spec("C1", "C2", "C3", "C4", "C5")
async def test_good_release_is_promoted_and_nobody_is_cut(world: World, engine: Engine) -> None:
    report = await deploy(engine, V2, PLAN)
    assert (report.outcome, report.exit_code) == ("promoted", ExitCode.OK)
    assert world.weights == Weights(0, 100)
    assert world.slots["blue"].release is None
    assert world.slots["green"].people == 50
    assert world.cut == []
    assert engine.environment.journal.read_stable() == Stable("green", V2)
    assert len(report.steps) == 12
    assert report.bake_seconds == 6.0
    assert report.seconds - report.bake_seconds < 5
    assert [j.verdict.kind for j in report.judgements] == ["pass"] * 3


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
    assert world.slots["blue"].people == 50
