"""The engine of a failover: its journal, its leases, and engines that die."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from isshoni.engine import failover as operations
from isshoni.engine.errors import LeaseHeld, NothingToDo
from isshoni.engine.failover import FailoverEngine, fail_over
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.engine.failover_loop import FailoverTurn
from isshoni.engine.failover_report import find_exit_code, show_failover
from isshoni.engine.lease import describe_self
from isshoni.engine.reconciler import Controls
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.errors import ExitCode
from isshoni.rollout.failover.actions import Promote
from isshoni.rollout.failover.model import RegionRecord
from isshoni.rollout.failover.steps import PLANS, StepName
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import begin_rollout
from tests.support.fake_regions import FakeRegions


class Clock:
    """Time that passes only while the engine sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


class Died(Exception):
    """The engine's process was killed."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FailoverEngine]:
    with (
        closing(SqliteFailovers(tmp_path / "failovers.sqlite")) as journal,
        closing(SqliteJournal(tmp_path / "east.sqlite")) as east,
        closing(SqliteJournal(tmp_path / "west.sqlite")) as west,
    ):
        yield FailoverEngine(FakeRegions(), journal, {"east": east, "west": west}, Clock(), "kim")


def regions_of(engine: FailoverEngine) -> FakeRegions:
    assert isinstance(engine.regions, FakeRegions)
    return engine.regions


def test_a_failover_is_stored_with_what_happened_in_it(engine: FailoverEngine) -> None:
    ended = asyncio.run(fail_over(engine))
    assert ended.outcome == "promoted", ended.reason
    saved = engine.journal.read_latest_failover()
    assert saved is not None and saved.failover == ended
    titles = [r.data["title"] for r in engine.journal.read_records(ended.id) if "title" in r.data]
    assert titles == [step.title for step in PLANS["planned"]]
    assert show_failover(ended, ended.began)["writes_waited_seconds"] > 0
    assert find_exit_code(ended) is ExitCode.OK


@pytest.mark.parametrize("step", [step.name for step in PLANS["planned"][1:]])
def test_a_dead_engine_at_any_step_is_continued(engine: FailoverEngine, step: StepName) -> None:
    regions_of(engine).moves_per_order = 4

    def die(turn: FailoverTurn) -> None:
        if turn.failover.step.name is step:
            raise Died

    with pytest.raises(Died):
        asyncio.run(fail_over(engine, on_turn=die))
    ended = asyncio.run(fail_over(engine))
    assert ended.outcome == "promoted", ended.reason
    assert len(engine.journal.list_failovers(10)) == 1
    assert all(len(writers) <= 1 for writers in regions_of(engine).writers_seen)


def test_a_failover_is_refused_while_a_deploy_has_the_lease(engine: FailoverEngine) -> None:
    now = engine.clock.now()
    engine.region_journals["west"].take_lease(
        describe_self("deploy v2", now), now=now, ttl_seconds=60
    )
    with pytest.raises(LeaseHeld, match="deploy v2"):
        asyncio.run(fail_over(engine))
    assert regions_of(engine).performed == []
    assert engine.journal.read_lease() is None


def test_a_failover_is_refused_while_a_deploy_is_unfinished(engine: FailoverEngine) -> None:
    journal, now = engine.region_journals["east"], engine.clock.now()
    lease = journal.take_lease(describe_self("deploy", now), now=now, ttl_seconds=60)
    stable = Stable("blue", Release("v1"))
    journal.save(
        begin_rollout("r1", Release("v2"), RolloutPlan(), stable, now), [], lease=lease, revision=0
    )
    journal.release_lease(lease)
    with pytest.raises(NothingToDo, match="rollout r1 is not over in east"):
        asyncio.run(fail_over(engine))


def test_a_deploy_is_refused_while_a_failover_is_unfinished(engine: FailoverEngine) -> None:
    controls = Controls()

    def leave(turn: FailoverTurn) -> None:
        if turn.failover.step.name is StepName.FENCE:
            controls.leave()

    asyncio.run(fail_over(engine, controls=controls, on_turn=leave))
    with pytest.raises(NothingToDo, match="is not over"):
        operations.refuse_during_failover(engine.journal)
    asyncio.run(fail_over(engine))
    operations.refuse_during_failover(engine.journal)


def test_the_leases_of_both_regions_are_held_while_it_runs(engine: FailoverEngine) -> None:
    held: set[str] = set()

    def look(turn: FailoverTurn) -> None:
        held.update(name for name, its in engine.region_journals.items() if its.read_lease())

    asyncio.run(fail_over(engine, on_turn=look))
    assert held == {"east", "west"}
    assert all(its.read_lease() is None for its in engine.region_journals.values())


def test_a_region_that_does_not_answer_needs_emergency(engine: FailoverEngine) -> None:
    regions_of(engine).east.is_dead = True
    with pytest.raises(NothingToDo, match="--emergency"):
        asyncio.run(fail_over(engine))
    ended = asyncio.run(fail_over(engine, mode="emergency"))
    assert ended.outcome == "promoted", ended.reason


def test_an_emergency_runs_although_the_lost_regions_deploy_has_its_lease(
    engine: FailoverEngine,
) -> None:
    regions_of(engine).east.is_dead = True
    now = engine.clock.now()
    east = engine.region_journals["east"]
    east.take_lease(describe_self("deploy v2", now), now=now, ttl_seconds=600)
    assert asyncio.run(fail_over(engine, mode="emergency")).outcome == "promoted"


def test_ctrl_c_goes_back_before_the_other_region_writes(engine: FailoverEngine) -> None:
    controls = Controls()
    regions_of(engine).lagging = True

    def press(turn: FailoverTurn) -> None:
        if turn.failover.step.name is StepName.CATCH_UP:
            controls.request_abort("kim")

    ended = asyncio.run(fail_over(engine, controls=controls, on_turn=press))
    assert (ended.outcome, find_exit_code(ended)) == ("back", ExitCode.ROLLED_BACK)
    assert regions_of(engine).east.record.writer == "east"


def test_a_failback_returns_to_the_region_from_before(engine: FailoverEngine) -> None:
    asyncio.run(fail_over(engine))
    assert operations.choose_failback(engine) == "east"
    ended = asyncio.run(fail_over(engine, to="east"))
    assert ended.outcome == "promoted", ended.reason
    assert regions_of(engine).east.record == RegionRecord(5, "east")


def test_a_failback_without_a_failover_is_refused(engine: FailoverEngine) -> None:
    with pytest.raises(NothingToDo, match="no failover yet"):
        operations.choose_failback(engine)


def test_a_failover_to_the_region_that_serves_is_refused(engine: FailoverEngine) -> None:
    with pytest.raises(NothingToDo, match="east serves already"):
        asyncio.run(fail_over(engine, to="east"))
    with pytest.raises(NothingToDo, match="there is no region 'north'"):
        asyncio.run(fail_over(engine, to="north"))


def test_a_refused_standby_changes_nothing_and_exits_as_refused(engine: FailoverEngine) -> None:
    regions_of(engine).west.standby_reason = "it copies the data of the other region"
    ended = asyncio.run(fail_over(engine))
    assert ended.outcome == "back"
    assert find_exit_code(ended) is ExitCode.REFUSED
    assert "it copies the data" in ended.reason
    assert regions_of(engine).east.record == RegionRecord(1, "east")


def test_a_planned_failover_whose_source_died_goes_on_as_an_emergency(
    engine: FailoverEngine,
) -> None:
    regions_of(engine).lagging = True

    def lose(turn: FailoverTurn) -> None:
        if turn.failover.step.name is StepName.CATCH_UP:
            regions_of(engine).east.is_dead = True

    stuck = asyncio.run(fail_over(engine, on_turn=lose))
    assert (stuck.outcome, find_exit_code(stuck)) == ("stuck", ExitCode.STUCK)
    ended = asyncio.run(fail_over(engine, mode="emergency"))
    assert ended.outcome == "promoted" and ended.id == stuck.id
    assert regions_of(engine).west.record.term > stuck.term


def test_a_term_that_an_earlier_failover_used_is_not_used_again(engine: FailoverEngine) -> None:
    asyncio.run(fail_over(engine))
    regions_of(engine).west.record = RegionRecord(1, "east")  # its Redis lost its end
    regions_of(engine).west.is_dead = True
    regions_of(engine).switched_to = "west"
    regions_of(engine).east.record = RegionRecord(1, "west")
    ended = asyncio.run(fail_over(engine, mode="emergency"))
    assert ended.outcome == "promoted", ended.reason
    assert regions_of(engine).east.record.term == 4


def test_a_promotion_that_never_works_goes_back(engine: FailoverEngine) -> None:
    regions_of(engine).broken[Promote] = "NOPERM"
    ended = asyncio.run(fail_over(engine))
    assert ended.outcome == "back" and "NOPERM" in ended.reason


def lose_target_at_open(engine: FailoverEngine) -> None:
    """Run a planned failover whose new region is lost before it writes."""
    regions = regions_of(engine)

    def lose(turn: FailoverTurn) -> None:
        if turn.failover.step.name is StepName.OPEN:
            regions.west.is_dead, regions.west.redis_alive = True, False

    ended = asyncio.run(fail_over(engine, on_turn=lose))
    assert ended.outcome == "stuck"
    assert "`isshoni failover --to east --emergency`" in ended.reason


def test_a_request_for_a_failover_that_is_stuck_says_how_it_goes_on(
    engine: FailoverEngine,
) -> None:
    with pytest.raises(NothingToDo, match="no failover is running"):
        operations.request(engine, "abort")
    lose_target_at_open(engine)
    with pytest.raises(NothingToDo, match=r"is stuck, so.* none to abort.*--to east --emergency"):
        operations.request(engine, "abort")


def test_the_old_region_writes_again_if_the_new_one_was_lost_before_it_wrote(
    engine: FailoverEngine,
) -> None:
    lose_target_at_open(engine)
    used = max(each.term for each in engine.journal.list_failovers(10))
    ended = asyncio.run(fail_over(engine, to="east", mode="emergency"))
    assert ended.outcome == "promoted", ended.reason
    assert (ended.source, ended.target) == ("west", "east")
    assert regions_of(engine).east.record.writer == "east"
    assert regions_of(engine).east.record.term > used


def test_an_emergency_to_a_region_that_writes_is_refused(engine: FailoverEngine) -> None:
    with pytest.raises(NothingToDo, match="east serves already"):
        asyncio.run(fail_over(engine, to="east", mode="emergency"))


def test_an_old_primary_that_a_client_overruled_becomes_a_standby(engine: FailoverEngine) -> None:
    regions = regions_of(engine)
    regions.east.is_dead = True
    assert asyncio.run(fail_over(engine, mode="emergency")).outcome == "promoted"
    east = regions.east
    east.is_dead = east.is_blocked = False
    east.follows, east.record = None, regions.west.record  # as a client's proof leaves it
    ended = asyncio.run(fail_over(engine, to="east"))
    assert ended.outcome == "promoted", ended.reason
    assert regions.east.record.writer == "east" and regions.west.follows == "east"
