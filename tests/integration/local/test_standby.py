"""A keeper and the spare of its program: real processes and sockets, a clock of our own."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from isshoni.environments.local.keeper import SPARE_AFTER_SECONDS, Keeper
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.standby import MAX_FAILURES
from tests.support.local_environments import kill_everything, state_directory
from tests.support.valkey import find_free_port

SERVE = """
import os, select, socket, sys
from isshoni.backend.process.succession import *
line, heir = find_line(os.environ, SPARE_VARIABLE), find_line(os.environ, HEIR_VARIABLE)
taken = wait_to_take_over(line) if line else None
print("event=took_over now" if line else "event=started", flush=True)
listener, other = taken or (socket.create_server(("127.0.0.1", int(sys.argv[1]))), socket.socket())
listener.setblocking(True)
while True:
    for ready in select.select([listener, heir], [], [])[0]:
        if ready is heir:
            answer_spare(heir, (listener, other))
            print("spare ready", flush=True)
        else:
            listener.accept()[0].sendall(str(os.getpid()).encode())
"""
NO_SPARE = "import os, sys; sys.exit(3) if 'ISSHONI_SPARE_FD' in os.environ else None;" + SERVE


class Kept:
    """A program under a keeper, at a time that the test says."""

    def __init__(self, files: ProgramFiles) -> None:
        self.files = files
        self.port = find_free_port()
        self.keepers = [Keeper("it", files)]
        self.wanted: Program | None = None
        self.now = 0.0

    @property
    def keeper(self) -> Keeper:
        return self.keepers[-1]

    def replace_keeper(self) -> None:
        self.keepers.append(Keeper("it", self.files))

    def want(self, code: str = SERVE) -> None:
        command = [sys.executable, "-c", code, str(self.port)]
        self.wanted = Program(command, str(self.files.log_path("it")), 5.0, spare=True)

    @property
    def seen(self) -> Observed:
        return self.files.observed("it") or Observed("")

    def turn_until(self, holds: Callable[[], object], *, quiet: bool = True) -> None:
        """Take turns until something holds; no time goes by."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, (self.seen, self.files.log_path("it").read_text())
            self.keeper.turn(self.wanted, self.now, quiet=quiet)
            time.sleep(0.005)

    def has_said(self, words: str, times: int = 1) -> bool:
        log = self.files.log_path("it")
        return log.exists() and log.read_text().count(words) == times

    def start_with_spare(self) -> Observed:
        self.turn_until(lambda: self.has_said("event=started"))
        self.now += SPARE_AFTER_SECONDS + 1
        self.turn_until(lambda: self.has_said("spare ready"))
        return self.seen

    def who_serves(self) -> int:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            return int(connection.recv(20))


@pytest.fixture
def kept() -> Iterator[Kept]:
    with state_directory() as state_dir:
        files = ProgramFiles(state_dir)
        files.make_directories()
        kept = Kept(files)
        kept.want()
        yield kept
        kill_everything(state_dir)
        for keeper in kept.keepers:  # they are the parents: without a look, there are zombies
            while keeper.turn(None, kept.now):
                time.sleep(0.005)


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def is_dead(pid: int | None) -> bool:
    assert pid is not None
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_spare_serves_at_once_and_is_counted_as_a_restart(kept: Kept) -> None:
    first = kept.start_with_spare()
    kill(first.pid)
    assert kept.who_serves() == first.spare_pid  # no keeper has had a turn
    kept.turn_until(lambda: kept.seen.pid == first.spare_pid)
    assert (kept.seen.restarts, kept.seen.spare_pid) == (1, None)
    assert kept.seen.last_exit == "signal 9 (SIGKILL): spare ready"
    kept.now += SPARE_AFTER_SECONDS + 1
    kept.turn_until(lambda: kept.has_said("spare ready", times=2))
    kill(kept.seen.pid)
    assert kept.who_serves() == kept.seen.spare_pid


def test_a_program_that_is_stopped_is_not_succeeded(kept: Kept) -> None:
    first = kept.start_with_spare()
    kept.wanted = None
    kept.turn_until(lambda: kept.files.observed("it") is None)
    assert is_dead(first.pid) and is_dead(first.spare_pid)
    assert kept.has_said("event=took_over", times=0)


def test_another_revision_takes_the_place_of_both(kept: Kept) -> None:
    first = kept.start_with_spare()
    kept.want("version = 2;" + SERVE)
    kept.turn_until(lambda: kept.has_said("event=started", times=2))
    assert is_dead(first.pid) and is_dead(first.spare_pid)
    assert kept.who_serves() == kept.seen.pid
    assert (kept.seen.restarts, kept.seen.last_exit) == (0, None)


def test_a_new_keeper_finds_both_and_knows_which_serves(kept: Kept) -> None:
    first = kept.start_with_spare()
    kept.replace_keeper()
    kept.keeper.turn(kept.wanted, kept.now, quiet=True)
    assert kept.seen == first
    kill(first.pid)
    assert kept.who_serves() == first.spare_pid
    kept.turn_until(lambda: kept.seen.pid == first.spare_pid)


def test_a_spare_that_took_over_without_a_supervisor_is_found(kept: Kept) -> None:
    first = kept.start_with_spare()
    kill(first.pid)
    assert kept.who_serves() == first.spare_pid
    kept.replace_keeper()
    kept.turn_until(lambda: kept.seen.pid == first.spare_pid)
    assert kept.seen.restarts == 1
    assert kept.seen.last_exit is not None and "exit code unknown" in kept.seen.last_exit
    assert kept.has_said("event=started")


def test_a_release_that_cannot_be_a_spare_is_not_asked_for_ever(kept: Kept) -> None:
    kept.want(NO_SPARE)
    kept.turn_until(lambda: kept.has_said("event=started"))
    kept.now += SPARE_AFTER_SECONDS + 1
    tried: set[int | None] = set()

    def gave_up() -> bool:
        tried.add(kept.seen.spare_pid)
        return len(tried - {None}) == MAX_FAILURES and kept.seen.spare_pid is None

    kept.turn_until(gave_up)
    first = kept.seen
    kill(first.pid)
    kept.turn_until(lambda: kept.seen.last_exit is not None)
    kept.now += 1
    kept.turn_until(lambda: kept.has_said("event=started", times=2))
    assert kept.who_serves() == kept.seen.pid


def test_no_spare_is_loaded_while_there_is_other_work(kept: Kept) -> None:
    kept.turn_until(lambda: kept.has_said("event=started"))
    for quiet, later in ((True, 0.0), (False, SPARE_AFTER_SECONDS + 1)):
        kept.now += later
        for _ in range(3):
            kept.keeper.turn(kept.wanted, kept.now, quiet=quiet)
        assert kept.seen.spare_pid is None
