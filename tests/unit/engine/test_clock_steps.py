"""A machine's clock that is set while an engine works: nobody takes it for dead or late."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from isshoni.engine import process_identity, sqlite_journal, steady_clock
from isshoni.engine.environment import Environment, SystemClock
from isshoni.engine.errors import LeaseHeld, UnfinishedRollout
from isshoni.engine.lease import describe_self, is_dead
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.process_identity import identify_process
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.world_clock import WorldClock

HOUR = 3600.0


@pytest.fixture(params=[HOUR, -HOUR], ids=["forward", "back"])
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Call to set the clock of the machine: what psutil and `time.time` tell moves with it."""
    moved: float = request.param
    real_time, real_created = time.time, psutil.Process.create_time
    monkeypatch.setattr(time, "time", lambda: real_time() + moved)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real_created(self) + moved)
    yield moved


def stepped_process(monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    """Read the time as a process that began after the clock was set."""
    monkeypatch.setattr(steady_clock, "_MIDNIGHT", steady_clock._MIDNIGHT + moved)


def test_a_living_holder_stays_alive_when_the_clock_is_set(step: float) -> None:
    before = describe_self("deploy v2", 0.0)
    holder = replace(before, process_created=before.process_created - step)
    assert not is_dead(holder)


def test_another_process_of_the_same_pid_is_not_the_holder() -> None:
    holder = describe_self("deploy v2", 0.0)
    assert is_dead(replace(holder, identity="another-boot 4711"))
    assert is_dead(replace(holder, identity=f"{holder.identity}1"))


def test_a_holder_of_an_earlier_version_is_known_by_its_creation_time() -> None:
    holder = replace(describe_self("deploy v2", 0.0), identity="")
    assert not is_dead(holder)
    assert is_dead(replace(holder, process_created=1.0))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="did not run: reads /proc")
def test_a_process_is_known_whatever_its_name() -> None:
    named = subprocess.Popen(
        ["sh", "-c", "exec sleep 60"], stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        first = identify_process(named.pid)
        assert first is not None and first == identify_process(named.pid)
        assert first != identify_process(os.getpid())
    finally:
        named.kill()
        named.wait()
    assert identify_process(named.pid) is None


def test_a_name_with_brackets_and_blanks_is_no_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7").mkdir()
    fields = " ".join(str(number) for number in range(4, 30))
    (tmp_path / "7" / "stat").write_text(f"7 (a ) S 1) S {fields}\n")
    monkeypatch.setattr(process_identity, "_PROC", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert identify_process(7) == " 22"


def test_durations_are_those_that_passed(step: float) -> None:
    clock = SystemClock()
    assert abs(clock.now() - (time.time() - step)) < HOUR / 2


def test_a_lease_neither_ends_nor_lasts_by_a_set_clock(
    tmp_path: Path, step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process holds the lease; another begins after the clock was set, and looks."""
    journal = SqliteJournal(tmp_path / "j.db")
    now = steady_clock.read_time()
    journal.take_lease(describe_self("deploy v2", now), now=now, ttl_seconds=60)
    stepped_process(monkeypatch, step)
    seen = journal.read_lease()
    assert seen is not None and abs(seen.expires - (now + step + 60)) < 0.001
    later = steady_clock.read_time()
    with pytest.raises(LeaseHeld):
        journal.take_lease(describe_self("deploy v3", later), now=later, ttl_seconds=5)
    journal.take_lease(describe_self("deploy v3", later), now=later + 120, ttl_seconds=5)
    journal.close()


def test_a_lease_of_an_earlier_version_ends_when_it_says(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.db")
    lease = journal.take_lease(describe_self("deploy v2", 0.0), now=0.0, ttl_seconds=5)
    journal._db.execute("UPDATE lease SET expires = 77.5")  # as such a version renews
    seen = journal.read_lease()
    assert seen is not None and (seen.epoch, seen.expires) == (lease.epoch, 77.5)
    journal.close()


def test_a_journal_of_an_earlier_version_gets_the_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SqliteJournal(tmp_path / "j.db")
    first._db.execute("ALTER TABLE lease DROP COLUMN steady")
    first.close()
    journal = SqliteJournal(tmp_path / "j.db")
    journal.take_lease(describe_self("deploy v2", 0.0), now=0.0, ttl_seconds=5)
    assert sqlite_journal.SCHEMA_VERSION == 1  # earlier versions go on working with it
    journal.close()


async def test_a_deploy_that_refuses_takes_no_lease(tmp_path: Path) -> None:
    world = World()
    journal = SqliteJournal(tmp_path / "j.db")
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports, controls = FakePorts(world), Controls()
    engine = Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "ann")
    plan = RolloutPlan(bake_seconds=0.5)

    def leave(progress: TurnReport) -> None:
        if progress.rollout.exposed:
            controls.leave()

    await deploy(engine, V2, plan, controls=controls, on_progress=leave)
    epoch = journal._db.execute("SELECT epoch FROM lease").fetchone()
    with pytest.raises(UnfinishedRollout):
        await deploy(engine, Release("v3"), plan)
    assert journal._db.execute("SELECT epoch FROM lease").fetchone() == epoch
    journal.close()
