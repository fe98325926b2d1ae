"""The engine on a real machine: real balancer, real Redis, real processes, real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy, rollback
from isshoni.engine.reconciler import TurnReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from tests.support.local_environments import (
    close_all,
    colour_of,
    echoes,
    local_environment,
    open_socket,
    slot_release,
)

PLAN = RolloutPlan(bake_seconds=0.5, drain_timeout_seconds=5)


@pytest.fixture
async def environment() -> AsyncIterator[LocalEnvironment]:
    async with local_environment() as environment:
        yield environment


@pytest.fixture
async def engine(environment: LocalEnvironment) -> AsyncIterator[Engine]:
    stable = Stable("blue", slot_release("v1", environment.config.state_dir))
    await environment.up(stable)
    journal = SqliteJournal(Path(environment.config.state_dir) / "journal.db")
    journal.record_stable(stable, at=0.0)
    ports = (environment.traffic, environment.compute, environment.backends, environment.probes)
    yield Engine(Environment(*ports, journal))
    journal.close()
    await environment.down()


@pytest.mark.e2e
@pytest.mark.spec("C1", "C2", "C3", "C4", "C5")
async def test_release_is_deployed_and_taken_back_on_real_processes(
    environment: LocalEnvironment, engine: Engine
) -> None:
    v2 = slot_release("v2", environment.config.state_dir)
    report = await deploy(engine, v2, PLAN)
    assert report.outcome == "promoted", report.reason
    assert report.seconds - report.bake_seconds <= 15
    assert await environment.traffic.verify_weights() == Weights(0, 100)
    socket = await open_socket(environment)
    assert colour_of(socket) == "green"
    assert await echoes([socket])
    await close_all([socket])

    back = await rollback(engine, plan=PLAN)
    assert (back.outcome, back.release) == ("promoted", "v1"), back.reason


@pytest.mark.e2e
@pytest.mark.spec("C3", "C6")
async def test_release_that_refuses_sockets_is_rolled_back(
    environment: LocalEnvironment, engine: Engine
) -> None:
    bend = Path(environment.config.state_dir)
    v2: Release = slot_release("v2", bend)
    (bend / "green.refuse").touch()
    visitors: list[asyncio.Task[None]] = []

    async def visit() -> None:
        while True:
            try:
                await close_all([await open_socket(environment)])
            except Exception as refused:
                del refused
            await asyncio.sleep(0.005)

    def begin_visits(progress: TurnReport) -> None:
        if progress.rollout.step.weight and not visitors:
            visitors.append(asyncio.create_task(visit()))

    plan = PLAN.model_copy(update={"bake_seconds": 10.0, "weights": (50, 100)})
    report = await deploy(engine, v2, plan, on_progress=begin_visits)
    visitors[0].cancel()
    assert report.outcome == "rolled_back", report
    assert "5xx" in report.reason or "refused" in report.reason
    assert report.rollback_seconds is not None
    assert (report.rollback_seconds.new_connections or 9) <= 5
    assert await environment.traffic.verify_weights() == Weights(100, 0)
    stable = engine.environment.journal.read_stable()
    assert stable is not None and stable.colour == "blue"
