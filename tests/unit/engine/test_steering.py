"""Requests from another terminal, and what becomes of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import LeaseHeld, NothingToDo, UnfinishedRollout
from isshoni.engine.operations import Engine, abort, deploy, find_resumable, hold_lease
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.report import RolloutReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.engine.steering import Answer, find_answer, steer
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import RequestKind
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=20.0, drain_timeout_seconds=30.0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    world = World()
    journal = SqliteJournal(tmp_path / "journal.db")
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    yield Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "ann")
    journal.close()


async def ask_at(
    engine: Engine, name: StepName, *kinds: RequestKind
) -> tuple[RolloutReport, list[Answer]]:
    """Deploy, and ask for things one after another once at a step."""

    async def ask() -> list[Answer]:
        return [await steer(engine.environment, engine.clock, kind, "bob") for kind in kinds]

    asking: list[asyncio.Task[list[Answer]]] = []

    def begin(progress: TurnReport) -> None:
        if progress.rollout.step.name is name and not asking:
            asking.append(asyncio.create_task(ask()))

    report = await deploy(engine, V2, PLAN, on_progress=begin)
    return report, await asking[0]


@pytest.mark.spec("C6")
async def test_answer_tells_the_rollout_as_it_is_then(engine: Engine) -> None:
    report, (paused, skipped, resumed) = await ask_at(
        engine, StepName.CANARY, "pause", "skip_bake", "resume"
    )
    assert (paused.refused, paused.rollout.paused_by) == (False, "bob")
    assert skipped.rollout.skip_bake
    assert [answer.step.title for answer in (paused, skipped, resumed)] == ["canary 10 %"] * 3
    assert resumed.rollout.paused_by is None
    assert report.outcome == "promoted"
    assert report.seconds < 60
    # Two of three bakes were as long as planned; the skipped one was not.
    assert 2 * PLAN.bake_seconds <= report.bake_seconds < 3 * PLAN.bake_seconds


async def test_answer_names_the_step_that_it_concerned_not_the_one_reached_since(
    engine: Engine,
) -> None:
    _, answers = await ask_at(engine, StepName.CANARY, "skip_bake")
    journal = engine.environment.journal
    (request,) = journal.read_requests(answers[0].rollout.id, after=0)
    later = find_answer(engine.environment, answers[0].rollout.id, request.id)
    assert later is not None
    assert (later.step.title, later.rollout.step.title) == ("canary 10 %", "promote the candidate")


async def test_a_rollback_that_was_left_is_not_called_a_deploy_to_resume(engine: Engine) -> None:
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.rollback is not None:
            controls.leave()
        elif progress.rollout.step.name is StepName.CANARY:
            controls.request_abort("bob")

    left = await deploy(engine, V2, PLAN, controls=controls, on_progress=leave)
    assert (left.outcome, left.rollback_seconds is None) == ("running", False)
    with pytest.raises(NothingToDo) as caught:
        await steer(engine.environment, engine.clock, "pause", "bob")
    assert "`isshoni rollback` finishes the rollback" in str(caught.value)
    with pytest.raises(UnfinishedRollout) as other:
        await find_resumable(engine, Release("v3"))
    for fault in (caught, other):
        assert "`isshoni deploy" not in str(fault.value)


async def test_a_plan_is_made_of_what_is_open(engine: Engine) -> None:
    assert await find_resumable(engine, V2) == (V2, None)
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.step.name is StepName.CANARY:
            controls.leave()

    left = await deploy(engine, V2, PLAN, controls=controls, on_progress=leave)
    _, unfinished = await find_resumable(engine, V2)
    assert unfinished is not None
    assert (unfinished.id, unfinished.step.title) == (left.id, "canary 10 %")
    with pytest.raises(UnfinishedRollout, match="`isshoni deploy v2` resumes it"):
        await find_resumable(engine, Release("v3"))
    with hold_lease(replace(engine, who="ann"), "deploy v2"), pytest.raises(LeaseHeld):
        await find_resumable(engine, V2)


async def test_refusal_says_why(engine: Engine) -> None:
    _, (answer,) = await ask_at(engine, StepName.WAIT_HEALTHY, "skip_bake")
    assert answer.refused
    assert "nothing to skip" in answer.why


async def test_nothing_is_left_in_the_journal_for_an_engine_that_is_dead(engine: Engine) -> None:
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.step.name is StepName.CANARY:
            controls.leave()

    left = await deploy(engine, V2, PLAN, controls=controls, on_progress=leave)
    with pytest.raises(NothingToDo, match=r"no engine works on .* `isshoni deploy v2`"):
        await steer(engine.environment, engine.clock, "pause", "bob")
    assert engine.environment.journal.read_requests(left.id, after=0) == []
    assert (await abort(engine)).outcome == "rolled_back"
    with pytest.raises(NothingToDo, match="no rollout is running"):
        await abort(engine)
    with pytest.raises(NothingToDo, match="no bake to skip"):
        await steer(engine.environment, engine.clock, "skip_bake", "bob")
