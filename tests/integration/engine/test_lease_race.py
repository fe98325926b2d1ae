"""Real processes race for one lease; a killed holder holds nobody up."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isshoni.engine.errors import LeaseHeld, LeaseLost
from isshoni.engine.lease import Lease, describe_self
from isshoni.engine.sqlite_journal import SqliteJournal

CONTENDER = """
import sys, time
from pathlib import Path
from isshoni.engine.errors import LeaseHeld
from isshoni.engine.lease import describe_self
from isshoni.engine.sqlite_journal import SqliteJournal

print("ready", flush=True)
sys.stdin.readline()
journal = SqliteJournal(Path(sys.argv[1]))
now = time.time()
try:
    journal.take_lease(describe_self("race", now), now=now, ttl_seconds=60)
    print("won", flush=True)
except LeaseHeld:
    print("lost", flush=True)
sys.stdin.readline()
"""

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    with ExitStack() as running:

        def start_contender() -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", CONTENDER, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            assert read(process) == "ready"
            return process

        yield start_contender


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def take(path: Path) -> Lease:
    journal, now = SqliteJournal(path), time.time()
    try:
        return journal.take_lease(describe_self("next", now), now=now, ttl_seconds=5)
    finally:
        journal.close()


@pytest.mark.spec("C7")
def test_of_many_at_once_one_wins_even_while_the_file_is_made(start: Start, path: Path) -> None:
    contenders = [start() for _ in range(3)]
    for contender in contenders:
        say_go(contender)
    assert sorted(read(contender) for contender in contenders) == ["lost", "lost", "won"]


@pytest.mark.spec("C7")
def test_lease_of_a_killed_holder_is_free_at_once(start: Start, path: Path) -> None:
    holder = start()
    say_go(holder)
    assert read(holder) == "won"
    with pytest.raises(LeaseHeld, match=f"process {holder.pid}"):
        take(path)
    holder.kill()
    holder.wait()
    assert take(path).epoch == 2


def test_holder_is_fenced_off_once_another_took_over(path: Path) -> None:
    journal, now = SqliteJournal(path), time.time()
    stale = journal.take_lease(describe_self("slept", now), now=now - 10, ttl_seconds=5)
    assert take(path).epoch == stale.epoch + 1
    with pytest.raises(LeaseLost):
        journal.renew_lease(stale, now=time.time(), ttl_seconds=5)
    journal.close()
