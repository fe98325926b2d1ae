"""Notifications go out beside a rollout, and never stand in its way."""

from collections.abc import Iterator, Sequence

import pytest

from isshoni.engine.companions import Companion, Notes
from isshoni.engine.environment import Environment
from isshoni.engine.journal import Record
from isshoni.engine.notifications import Notifications, NotificationSettings, Notifier
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.report import RolloutReport
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.memory_notifier import MemoryNotifier
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)
QUICK = NotificationSettings(timeout_seconds=0.1)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def journal(world: World) -> Iterator[MemoryJournal]:
    made = MemoryJournal()
    made.record_stable(Stable("blue", V1), at=world.now)
    yield made


async def roll_out(
    world: World,
    journal: MemoryJournal,
    notifiers: Sequence[Notifier],
    settings: NotificationSettings = QUICK,
) -> tuple[RolloutReport, list[Record]]:
    """Deploy V2; give the report, and what was noted of notifications."""

    def gather(environment: Environment, notes: Notes) -> Sequence[Companion]:
        del environment
        return [Notifications(notifiers, settings, notes)]

    ports = FakePorts(world)
    environment = Environment(ports, ports, ports, ports, journal)
    report = await deploy(Engine(environment, WorldClock(world), "tester", gather), V2, PLAN)
    records = journal.read_records(report.id)
    return report, [r for r in records if r.what == "notification_fault"]


@pytest.mark.spec("C6")
async def test_start_phases_and_end_are_told_in_order(world: World, journal: MemoryJournal) -> None:
    team = MemoryNotifier()
    _, faults = await roll_out(world, journal, [team])
    assert [message.occasion for message in team.told] == ["start", *["phase"] * 4, "end"]
    assert team.told[0].title == "Deploying v2"
    assert team.told[-1].title == "v2 is live"
    assert team.told[-1].good
    assert faults == []


@pytest.mark.spec("C6")
async def test_a_rollback_is_told_with_its_reason(world: World, journal: MemoryJournal) -> None:
    world.candidate_faults = {"error_share": 0.2}
    team = MemoryNotifier()
    await roll_out(world, journal, [team])
    back, end = team.told[-2:]
    assert (back.occasion, end.occasion) == ("rollback", "end")
    assert "5xx" in back.body
    assert end.title == "v2 was rolled back"


async def test_only_the_chosen_occasions_are_told(world: World, journal: MemoryJournal) -> None:
    team = MemoryNotifier()
    await roll_out(world, journal, [team], QUICK.model_copy(update={"on": ("end",)}))
    assert [message.occasion for message in team.told] == ["end"]


@pytest.mark.spec("C6")
async def test_receivers_that_fail_or_hang_keep_neither_the_rollout_nor_the_others(
    world: World, journal: MemoryJournal
) -> None:
    team = MemoryNotifier()
    notifiers = [MemoryNotifier("it answered 500"), MemoryNotifier(hangs=True), team]
    alone = World()
    undisturbed, _ = await roll_out(alone, _journal_of(alone), [])
    report, faults = await roll_out(world, journal, notifiers)
    assert report.outcome == "promoted"
    assert report.seconds == undisturbed.seconds
    assert len(team.told) == 6
    whys = [record.why for record in faults]
    assert any("did not get the message about the start: it answered 500" in why for why in whys)
    assert any("no answer within 0.1 s" in why for why in whys)
    assert any("did not get all messages" in why for why in whys)


def _journal_of(world: World) -> MemoryJournal:
    made = MemoryJournal()
    made.record_stable(Stable("blue", V1), at=world.now)
    return made
