"""A rollout that no engine works on is reported, and taken back if its plan says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import NothingToDo
from isshoni.engine.lease import describe_self
from isshoni.engine.notifications import NotificationSettings
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.engine.unattended import attend
from isshoni.rollout.model import Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_notifier import MemoryNotifier
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)
SETTINGS = NotificationSettings(timeout_seconds=0.1)


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


async def leave_at_canary(engine: Engine, plan: RolloutPlan = PLAN) -> str:
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.bake_began is not None:
            controls.leave()

    report = await deploy(engine, V2, plan, controls=controls, on_progress=leave)
    assert report.outcome == "running"
    return report.id


async def test_it_is_reported_and_stands_still_as_it_is(world: World, engine: Engine) -> None:
    rollout_id = await leave_at_canary(engine)
    notifier = MemoryNotifier()
    assert await attend(engine, [notifier], SETTINGS) is None
    [message] = notifier.told
    assert (message.occasion, message.good) == ("unattended", False)
    assert "blue 90 % / green 10 %" in message.body and "`isshoni rollback`" in message.body
    assert world.weights == Weights(90, 10)
    records = engine.environment.journal.read_records(rollout_id)
    assert [record.what for record in records][-1] == "unattended"


async def test_the_weights_in_the_report_are_the_present_ones(world: World, engine: Engine) -> None:
    await leave_at_canary(engine)
    world.weights = Weights(50, 50)  # by an engine that died before it could record that
    notifier = MemoryNotifier()
    await attend(engine, [notifier], SETTINGS)
    world.broken.add("verify_weights")
    await attend(engine, [notifier], SETTINGS)
    present, unknown = (message.body for message in notifier.told)
    assert "the weights are now blue 50 % / green 50 %" in present
    assert "the weights are now unknown (" in unknown


async def test_it_is_taken_back_where_that_is_configured(world: World, engine: Engine) -> None:
    await leave_at_canary(engine, PLAN.model_copy(update={"unattended_action": "rollback"}))
    notifier = MemoryNotifier()
    report = await attend(engine, [notifier], SETTINGS, afterwards="Then look at the other one.")
    assert report is not None
    assert (report.outcome, report.reason) == ("rolled_back", "abort asked by the supervisor")
    assert notifier.told[0].body.endswith("It is being rolled back. Then look at the other one.")
    assert [message.occasion for message in notifier.told] == ["unattended"]
    assert world.weights == Weights(100, 0)


async def test_a_receiver_that_hangs_or_fails_keeps_it_from_nothing(engine: Engine) -> None:
    plan = PLAN.model_copy(update={"unattended_action": "rollback"})
    rollout_id = await leave_at_canary(engine, plan)
    notifiers = [MemoryNotifier(hangs=True), MemoryNotifier("it is full")]
    report = await attend(engine, notifiers, SETTINGS)
    assert report is not None and report.outcome == "rolled_back"
    records = engine.environment.journal.read_records(rollout_id)
    assert len([record for record in records if record.what == "notification_fault"]) == 2


async def test_a_rollout_with_an_engine_is_left_alone(world: World, engine: Engine) -> None:
    await leave_at_canary(engine)
    journal = engine.environment.journal
    journal.take_lease(describe_self("deploy v2", world.now), now=world.now, ttl_seconds=5)
    with pytest.raises(NothingToDo, match="an engine works on"):
        await attend(engine, [MemoryNotifier()], SETTINGS)


async def test_without_an_open_rollout_there_is_nothing_to_do(engine: Engine) -> None:
    with pytest.raises(NothingToDo, match="no rollout is open"):
        await attend(engine, [MemoryNotifier()], SETTINGS)
