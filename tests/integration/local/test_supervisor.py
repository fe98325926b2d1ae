"""The supervisor with real programs: the hard moments of starting and stopping."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local import supervision
from isshoni.environments.local.logs import bound_log
from isshoni.environments.local.process import StillHeld, find_holder, spawn
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.supervision import (
    ensure_supervisor,
    stop_supervisor,
    supervisor_pid,
)
from isshoni.environments.waiting import wait_until
from tests.support.local_environments import kill, state_directory
from tests.support.valkey import find_free_port

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"
WAIT = "while True: time.sleep(60)"


@pytest.fixture
async def files() -> AsyncIterator[ProgramFiles]:
    """The files of a state directory with a supervisor."""
    with state_directory() as state_dir:
        files = ProgramFiles(state_dir)
        files.make_directories()
        await ensure_supervisor(state_dir)
        yield files


def python(files: ProgramFiles, code: str, *, name: str = "it", stop_seconds: float = 5) -> Program:
    return Program([sys.executable, "-c", code], str(files.log_path(name)), stop_seconds)


async def observed(files: ProgramFiles, holds: Callable[[Observed], bool]) -> Observed:
    def seen() -> bool:
        now = files.observed("it")
        return now is not None and holds(now)

    assert await wait_until(seen, 15.0), files.observed("it")
    found = files.observed("it")
    assert found is not None
    return found


async def running_pid(files: ProgramFiles) -> int:
    pid = (await observed(files, lambda now: now.pid is not None)).pid
    assert pid is not None
    return pid


async def said(files: ProgramFiles, words: str) -> bool:
    log = files.log_path("it")
    return await wait_until(lambda: log.exists() and words in log.read_text(), 15.0)


async def gone(files: ProgramFiles) -> bool:
    return await wait_until(lambda: files.observed("it") is None, 15.0)


async def test_a_program_that_ignores_sigterm_is_killed_after_its_time(
    files: ProgramFiles,
) -> None:
    files.want("it", python(files, f"{STUBBORN}; exec('''{WAIT}''')", stop_seconds=0.3))
    pid = await running_pid(files)
    assert await said(files, "up")
    files.unwant("it")
    assert await gone(files)
    assert not psutil.pid_exists(pid)


async def test_a_program_that_cannot_be_executed_says_so(files: ProgramFiles) -> None:
    files.want("it", Program(["/nowhere/program"], str(files.log_path("it")), 1.0))
    seen = await observed(files, lambda now: now.last_exit is not None)
    assert seen.last_exit is not None
    assert seen.last_exit.startswith("cannot start /nowhere/program")


ANSWER = (
    "import http.server, sys; print('up', flush=True); "
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), "
    "http.server.SimpleHTTPRequestHandler).serve_forever()"
)


def answering(files: ProgramFiles, hang_seconds: float, pulse_port: int | None = None) -> Program:
    port = find_free_port()
    return Program(
        [sys.executable, "-c", ANSWER, str(port)],
        str(files.log_path("it")),
        5.0,
        pulse=f"http://127.0.0.1:{pulse_port or port}/nothing",
        hang_seconds=hang_seconds,
    )


async def test_a_program_that_hangs_is_ended_and_started_again(files: ProgramFiles) -> None:
    files.want("it", answering(files, 3.0))
    first = (await observed(files, lambda now: now.answered)).pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    again = await observed(files, lambda now: now.pid not in (first, None) and now.answered)
    assert again.restarts == 1
    expected = "it hung: no answer for 3 s, so it was ended (signal 9 (SIGKILL))"
    assert again.last_exit == expected  # and no line of its log, which says nothing of that
    assert "it hung" in files.log_path("supervisor").read_text()


async def test_a_hang_that_begins_while_no_supervisor_runs_is_seen_too(
    files: ProgramFiles,
) -> None:
    files.want("it", answering(files, 3.0))
    first = (await observed(files, lambda now: now.answered)).pid
    assert first is not None
    await stop_supervisor(files.state_dir)
    os.kill(first, signal.SIGSTOP)
    await ensure_supervisor(files.state_dir)
    again = await observed(files, lambda now: now.pid not in (first, None))
    assert "it hung" in str(again.last_exit)


async def test_a_program_that_has_never_answered_or_may_be_silent_is_left_alone(
    files: ProgramFiles,
) -> None:
    files.want("it", answering(files, 0.2, pulse_port=find_free_port()))
    silent = await running_pid(files)
    patient = answering(files, 0.0)
    files.want("other", patient)
    assert await wait_until(lambda: (files.observed("other") or Observed("")).pid is not None, 15)
    other = files.observed("other")
    assert other is not None and other.pid is not None
    os.kill(other.pid, signal.SIGSTOP)
    # Longer than several looks at a program whose limit is a fifth of a second.
    await asyncio.sleep(3.0)
    assert await running_pid(files) == silent
    assert files.observed("other") == other


async def test_a_program_that_keeps_dying_is_started_ever_more_slowly(
    files: ProgramFiles,
) -> None:
    files.want("it", python(files, "import time; print(time.monotonic()); exit(7)"))
    seen = await observed(files, lambda now: now.restarts >= 4)
    assert seen.last_exit is not None and seen.last_exit.startswith("exit code 7: ")
    starts = [float(line) for line in files.log_path("it").read_text().split()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses[2] >= 0.4 and pauses[2] > pauses[0]


@pytest.mark.parametrize("close_fds", [True, False], ids=["without-the-lock", "with-the-lock"])
async def test_children_of_a_dead_program_do_not_outlive_it(
    files: ProgramFiles, close_fds: bool
) -> None:
    code = (
        "import os, subprocess, sys, time; "
        f"child = subprocess.Popen(['sleep', '300'], close_fds={close_fds}); "
        f"print('child', child.pid, flush=True); exec('''{WAIT}''')"
    )
    files.want("it", python(files, code))
    pid = await running_pid(files)
    assert await said(files, "child")
    child = int(files.log_path("it").read_text().split()[1])
    os.kill(pid, signal.SIGKILL)
    await observed(files, lambda now: now.restarts == 1)

    def dead() -> bool:
        return (
            not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        )

    assert await wait_until(dead, 5.0)


@pytest.mark.spec("C7")
async def test_a_crash_between_start_and_record_leads_to_no_second_copy(
    files: ProgramFiles,
) -> None:
    await stop_supervisor(files.state_dir)
    program = python(files, f"import time; exec('''{WAIT}''')")
    files.want("it", program)
    copy = spawn(program, files.lock_path("it"))  # and here the supervisor was killed
    with pytest.raises(StillHeld):
        spawn(program, files.lock_path("it"))
    await ensure_supervisor(files.state_dir)
    assert await running_pid(files) == copy.pid
    holder = find_holder(files.lock_path("it"))
    assert holder is not None and holder.pid == copy.pid
    copy.kill_group()
    assert (await observed(files, lambda now: now.restarts == 1)).pid != copy.pid
    assert await wait_until(lambda: copy.exit_words() == "signal 9 (SIGKILL)", 5.0)


async def test_what_became_unwanted_while_no_supervisor_ran_is_stopped(
    files: ProgramFiles,
) -> None:
    files.want("it", python(files, f"import time; exec('''{WAIT}''')"))
    pid = await running_pid(files)
    supervisor = supervisor_pid(files.state_dir)
    assert supervisor is not None
    kill(supervisor)
    files.unwant("it")
    await ensure_supervisor(files.state_dir)
    assert await gone(files)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("NOT RUN: needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _fill(directory: Path) -> None:
    """Write until nothing more fits."""
    with (directory / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


@contextmanager
def _kept_full(directory: Path) -> Iterator[None]:
    """Keep a disk full: whatever is freed there is gone at once."""
    _fill(directory)
    done = threading.Event()

    def go_on() -> None:
        with (directory / "more").open("wb", buffering=0) as filler:
            while not done.wait(0.0002):
                with contextlib.suppress(OSError):
                    filler.write(b"x" * 4096)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def test_programs_on_a_full_disk_are_stopped_although_no_supervisor_ran(
    tmp_path: Path,
) -> None:
    with _small_disk(tmp_path / "disk"):
        files = ProgramFiles(tmp_path / "disk")
        files.make_directories()
        await ensure_supervisor(files.state_dir)
        files.want("it", python(files, f"import time; exec('''{WAIT}''')"))
        pid = await running_pid(files)
        supervisor = supervisor_pid(files.state_dir)
        assert supervisor is not None
        kill(supervisor)
        files.unwant("it")
        with _kept_full(files.state_dir):
            await ensure_supervisor(files.state_dir)
            assert await gone(files)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        await stop_supervisor(files.state_dir)


async def test_a_supervisor_that_cannot_answer_on_a_full_disk_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "START_SECONDS", 2.0)
    with _small_disk(tmp_path / "disk"):
        ProgramFiles(tmp_path / "disk").make_directories()
        for name in ("supervisor.lock", "supervisor-start.lock"):
            (tmp_path / "disk" / name).touch()
        _fill(tmp_path / "disk")
        with pytest.raises(ProgramNotReady, match="is full: delete files there"):
            await ensure_supervisor(tmp_path / "disk")
        (tmp_path / "disk" / "filler").unlink()  # the supervisor still tries
        await ensure_supervisor(tmp_path / "disk")
        await stop_supervisor(tmp_path / "disk")


async def test_a_damaged_program_file_leaves_what_runs_alone(files: ProgramFiles) -> None:
    files.want("it", python(files, f"import time; exec('''{WAIT}''')"))
    pid = await running_pid(files)
    path = files.state_dir / "programs" / "it.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    log = files.log_path("supervisor")
    assert await wait_until(
        lambda: "it.json is damaged (Input data was truncated" in log.read_text(), 10.0
    )
    path.write_bytes(whole)
    assert await running_pid(files) == pid


async def test_another_revision_replaces_the_running_one(files: ProgramFiles) -> None:
    files.want("it", python(files, f"import time; exec('''{WAIT}''')"))
    first = await observed(files, lambda now: now.pid is not None)
    files.want("it", python(files, f"import time; time; exec('''{WAIT}''')"))
    second = await observed(
        files, lambda now: now.revision != first.revision and now.pid is not None
    )
    assert (second.restarts, second.last_exit) == (0, None)


async def test_a_supervisor_whose_directory_was_removed_ends(files: ProgramFiles) -> None:
    pid = supervisor_pid(files.state_dir)
    assert pid is not None
    files.state_dir.rename(files.state_dir.with_name(f"{files.state_dir.name}-moved"))

    def ended() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    assert await wait_until(ended, 10.0)
    files.state_dir.with_name(f"{files.state_dir.name}-moved").rename(files.state_dir)


def test_a_log_that_grew_too_long_is_put_aside_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    with path.open("ab", buffering=0) as log:
        log.write(b"old\n" * 100)
        bound_log(path, max_bytes=100)
        log.write(b"new\n")
    assert path.read_text() == "new\n"
    assert path.with_suffix(".log.1").read_text() == "old\n" * 100
