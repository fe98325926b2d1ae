"""The supervisor notices a rollout that no engine works on."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isshoni.engine.lease import Lease, describe_self
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.rollout_watch import (
    LOOK_SECONDS,
    AttendedRegion,
    RolloutWatch,
    remember_config,
    start_attending,
)
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout, begin_rollout, end_rollout

PLAN = RolloutPlan(unattended_seconds=60)


class Watched:
    """A state directory with a journal, and the watch over it."""

    def __init__(self, state_dir: Path) -> None:
        self.journal = SqliteJournal(state_dir / "journal.sqlite")
        self.started = 0
        self.watch = RolloutWatch(state_dir, self._attend)
        self.now = 1000.0
        self.revision = 0

    def take_lease(self) -> Lease:
        now = time.time()
        return self.journal.take_lease(describe_self("deploy", now), now=now, ttl_seconds=3600)

    def save(self, lease: Lease, change: Callable[[Rollout], Rollout] = lambda it: it) -> None:
        stable = Stable("blue", Release("v1"))
        rollout = begin_rollout("r1", Release("v2"), PLAN, stable, 1.0)
        self.revision = self.journal.save(change(rollout), [], lease=lease, revision=self.revision)

    def look_for(self, seconds: float, engine: Lease | None = None) -> int:
        """Let time pass, with an engine at work or none; returns how often it was attended."""
        before, until = self.started, self.now + seconds
        while self.now < until:
            self.now += LOOK_SECONDS
            if engine is not None:  # whatever its clock says
                engine = self.journal.renew_lease(engine, now=self.now, ttl_seconds=5)
            self.watch.turn(self.now)
        return self.started - before

    def _attend(self) -> subprocess.Popen[bytes]:
        self.started += 1
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return process


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_rollout_without_an_engine_is_handled_after_its_time(watched: Watched) -> None:
    lease = watched.take_lease()
    watched.save(lease)
    assert watched.look_for(300, lease) == 0
    watched.journal.release_lease(lease)
    assert watched.look_for(50) == 0
    assert watched.look_for(20) == 1
    assert watched.look_for(40) == 0  # not at each look
    assert watched.look_for(60) == 1  # but again, for it still stands there


def test_an_engine_that_comes_back_clears_the_clock(watched: Watched) -> None:
    lease = watched.take_lease()
    watched.save(lease)
    watched.journal.release_lease(lease)
    assert watched.look_for(50) == 0
    again = watched.take_lease()
    assert watched.look_for(300, again) == 0
    watched.journal.release_lease(again)
    assert watched.look_for(50) == 0
    assert watched.look_for(20) == 1


def test_an_engine_that_hangs_is_none(watched: Watched) -> None:
    """It holds the lease and renews it no more."""
    lease = watched.take_lease()
    watched.save(lease)
    assert watched.look_for(50, lease) == 0
    assert watched.look_for(100) == 1


def test_a_rollout_that_has_ended_needs_no_engine(watched: Watched) -> None:
    lease = watched.take_lease()
    watched.save(lease, lambda rollout: end_rollout(rollout, "promoted", "", 2.0))
    watched.journal.release_lease(lease)
    assert watched.look_for(300) == 0


def test_a_journal_that_is_missing_or_busy_or_damaged_keeps_no_supervisor(tmp_path: Path) -> None:
    watch = RolloutWatch(tmp_path, lambda: pytest.fail("there is no rollout"))
    watch.turn(1000.0)
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, but long enough" * 100)
    watch.turn(2000.0)


def test_attend_runs_with_the_configuration_of_the_last_command(tmp_path: Path) -> None:
    config = tmp_path / "isshoni.toml"
    config.write_text('nonsense = "here"\n')
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    remember_config(state_dir, config)
    log = tmp_path / "log"
    assert start_attending(state_dir, log).wait(60) == 3  # a faulty configuration
    assert f"{config} has 1 fault" in log.read_text()
    remember_config(state_dir, None)
    assert start_attending(state_dir, log).wait(60) == 7  # no rollout stands still


def test_attend_in_a_region_is_about_that_region(tmp_path: Path) -> None:
    config = tmp_path / "isshoni.toml"
    config.write_text("[environments.local.regions.east]\n[environments.local.regions.west]\n")
    whole = tmp_path / ".isshoni"
    state_dir = whole / "regions" / "east"
    state_dir.mkdir(parents=True)
    remember_config(state_dir, config, AttendedRegion("local.east", str(whole)))
    log = tmp_path / "log"
    assert start_attending(state_dir, log).wait(60) == 7
    assert "no rollout is open" in log.read_text()
    assert not (state_dir / "regions").exists(), "it took the region for a whole environment"
