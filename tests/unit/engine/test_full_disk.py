"""A journal on a disk that takes no writes: it is read, and says what is wrong."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from isshoni.engine import sqlite_journal
from isshoni.engine.environment import Environment
from isshoni.engine.errors import JournalFault, LeaseHeld
from isshoni.engine.lease import Holder, describe_self
from isshoni.engine.operations import Engine, hold_lease_to_stop
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.model import Release, Stable
from tests.support.fake_environment import FakePorts, World

BLUE = Stable("blue", Release("v1"))


def fail_to_write(_: sqlite3.Connection) -> None:
    """Fail as SQLite does when it cannot make the file that readers share."""
    fault = sqlite3.OperationalError("disk I/O error")
    fault.sqlite_errorcode, fault.sqlite_errorname = 4874, "SQLITE_IOERR_SHMSIZE"
    raise fault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a stable and a lease in it."""
    path = tmp_path / "journal.sqlite"
    journal = SqliteJournal(path)
    journal.record_stable(BLUE, at=1.0)
    journal.take_lease(describe_self("deploy v2", 1.0), now=1.0, ttl_seconds=5)
    journal.close()
    return path


def open_on_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteJournal:
    with monkeypatch.context() as full:
        full.setattr(sqlite_journal, "_switch_to_wal", fail_to_write)
        return SqliteJournal(path)


def test_a_journal_that_cannot_be_written_is_read_and_says_why(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_on_full_disk(path, monkeypatch)
    assert journal.fault is not None
    assert "disk I/O error" in journal.fault
    assert "MiB are free" in journal.fault
    assert journal.read_stable() == BLUE
    assert journal.list_rollouts(5) == []
    writes: list[Callable[[], object]] = [
        lambda: journal.record_stable(BLUE, at=2.0),
        lambda: journal.file_request("r", "pause", who="x", at=2.0),
        lambda: journal.take_lease(describe_self("x", 99.0), now=99.0, ttl_seconds=5),
    ]
    for write in writes:
        with pytest.raises(JournalFault, match="make room"):
            write()
    journal.close()


def test_what_another_process_still_writes_is_read_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SqliteJournal(path)
    reader = open_on_full_disk(path, monkeypatch)
    for label in ("v2", "v3"):
        # It stays in the log beside the file for now: the copy must have that too.
        writer.record_stable(Stable("green", Release(label)), at=2.0)
        found = reader.read_stable()
        assert found is not None
        assert found.release.label == label
    reader.close()
    writer.close()


def test_a_journal_that_is_not_there_on_a_full_disk_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(JournalFault, match="cannot be written"):
        open_on_full_disk(tmp_path / "journal.sqlite", monkeypatch)


def test_down_goes_on_without_a_lease_only_where_no_engine_is_at_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = FakePorts(World())
    journal = open_on_full_disk(path, monkeypatch)
    engine = Engine(Environment(ports, ports, ports, ports, journal))
    done = []
    with hold_lease_to_stop(engine, "down"):
        done.append("down")
    assert done == ["down"]
    journal.close()
    writer = SqliteJournal(path)
    now = engine.clock.now()
    alive = Holder(1, 1.0, "elsewhere", "ann", "deploy v2", now)
    writer.take_lease(alive, now=now, ttl_seconds=60)
    journal = open_on_full_disk(path, monkeypatch)
    with (
        pytest.raises(LeaseHeld, match="ann@elsewhere"),
        hold_lease_to_stop(Engine(Environment(ports, ports, ports, ports, journal)), "down"),
    ):
        pass
    journal.close()
    writer.close()
