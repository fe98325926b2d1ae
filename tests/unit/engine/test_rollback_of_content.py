"""Rollbacks bring back the content that was live, whatever its source names by now."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import NothingToDo, UnfinishedRollout
from isshoni.engine.operations import Engine, deploy, rollback
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, FakePorts, World
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=0.5, drain_timeout_seconds=30.0)
MAIN = Release("main", source="git:main")
GOOD, BAD, WORSE = ("git-" + digit * 40 for digit in "abc")


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


async def release(engine: Engine, world: World, content: str) -> None:
    world.sources["git:main"] = content
    assert (await deploy(engine, MAIN, PLAN)).outcome == "promoted"


def live(world: World) -> str | None:
    (running,) = (slot.release for slot in world.slots.values() if slot.release)
    return running.content


async def test_rollback_brings_the_earlier_commit_of_one_branch(
    engine: Engine, world: World
) -> None:
    await release(engine, world, GOOD)
    await release(engine, world, BAD)
    report = await rollback(engine, plan=PLAN)
    assert (report.outcome, report.content, report.previous_content) == ("promoted", GOOD, BAD)
    assert live(world) == GOOD


async def test_a_second_rollback_goes_further_back(engine: Engine, world: World) -> None:
    for content in (GOOD, BAD, WORSE):
        await release(engine, world, content)
    contents = [(await rollback(engine, plan=PLAN)).content for _ in range(3)]
    assert contents == [BAD, GOOD, None]
    assert [s.release for s in engine.environment.journal.list_stables()] == [V1]
    with pytest.raises(NothingToDo, match="no release before this one"):
        await rollback(engine, plan=PLAN)


async def test_rollback_to_goes_where_it_is_told(engine: Engine, world: World) -> None:
    for content in (GOOD, BAD, WORSE):
        await release(engine, world, content)
    assert (await rollback(engine, to="aaaaaaa", plan=PLAN)).content == GOOD
    (worse, *_) = (r for r in engine.environment.journal.list_rollouts(9) if not r.returning)
    assert (await rollback(engine, to=worse.id, plan=PLAN)).content == WORSE
    assert (await rollback(engine, to="v1", plan=PLAN)).release == "v1"


async def test_rollback_to_what_fits_nothing_or_too_much_changes_nothing(
    engine: Engine, world: World
) -> None:
    for content in (GOOD, BAD, WORSE):
        await release(engine, world, content)
    acts = list(world.acts)
    with pytest.raises(NothingToDo, match=r"'main' matches 2 .*bbbbbbbbbbbb.*aaaaaaaaaaaa"):
        await rollback(engine, to="main")
    with pytest.raises(NothingToDo, match=r"no release .* called 'v9'"):
        await rollback(engine, to="v9")
    with pytest.raises(NothingToDo, match="is live: there is nothing"):
        await rollback(engine, to=WORSE)
    assert world.acts == acts


async def test_asking_a_rollback_to_roll_back_does_not_bring_the_bad_release_again(
    engine: Engine, world: World
) -> None:
    await release(engine, world, GOOD)
    await release(engine, world, BAD)
    asked: list[int] = []

    def ask(progress: TurnReport) -> None:
        if progress.rollout.exposed and not asked:
            journal, id = engine.environment.journal, progress.rollout.id
            asked.append(journal.file_request(id, "rollback", who="ann", at=progress.at))

    report = await rollback(engine, plan=PLAN, on_progress=ask)
    assert asked and (report.outcome, live(world)) == ("promoted", GOOD)
    records = engine.environment.journal.read_records(report.id)
    assert any(r.what == "too_late" and "isshoni abort" in r.why for r in records)


async def test_an_unfinished_rollout_goes_on_only_with_its_own_content(
    engine: Engine, world: World
) -> None:
    controls = Controls()

    def leave(progress: TurnReport) -> None:
        if progress.rollout.exposed:
            controls.leave()

    world.sources["git:main"] = GOOD
    left = await deploy(engine, MAIN, PLAN, controls=controls, on_progress=leave)
    world.sources["git:main"] = BAD
    with pytest.raises(UnfinishedRollout, match=r"\(commit aaaaaaaaaaaa\).*now commit bbbb.*main"):
        await deploy(engine, MAIN, PLAN)
    with pytest.raises(NothingToDo, match="first roll it back with `isshoni rollback`"):
        await rollback(engine, to="v1")
    report = await deploy(engine, Release("main"), PLAN)
    assert (report.id, report.outcome, live(world)) == (left.id, "promoted", GOOD)
