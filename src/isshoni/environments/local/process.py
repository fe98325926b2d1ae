"""One running program: started once, found again, stopped with all its children.

A program inherits a locked file descriptor and writes its pid into that file
before it is executed. The kernel drops the lock with the last process that holds
it. So whoever starts the same program can tell, at any moment and after any
crash, whether a copy runs and which process it is: there is no time between a
start and its being known.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from isshoni.backend.process.succession import HEIR_VARIABLE, SPARE_VARIABLE
from isshoni.engine.process_identity import identify_process
from isshoni.environments.local.programs import Observed, Program


class StillHeld(Exception):
    """A copy of the program, or something that it left behind, is still running."""


class CannotStart(Exception):
    """The program cannot be executed at all; the message says why."""


@dataclass(frozen=True)
class Holder:
    """The process that a lock file names."""

    pid: int
    revision: str
    stop_seconds: float


class Process:
    """A program's main process, whether we started it or found it."""

    def __init__(
        self,
        pid: int,
        revision: str,
        child: "subprocess.Popen[bytes] | None",
        line: socket.socket | None = None,
    ) -> None:
        self.pid = pid
        self.revision = revision
        self.line = line
        """Where a spare asks it for its listening sockets; lost with who started it."""
        self._child = child
        self._seen = psutil.Process(pid)
        self.create_time: float = self._seen.create_time()
        self.identity = identify_process(pid) or ""

    def exit_words(self) -> str | None:
        """Say how it ended; None while it runs."""
        if self._child is not None:
            code = self._child.poll()
            return None if code is None else describe_exit(code)
        if _is_alive(self._seen):
            return None
        return "it ended while its supervisor was being replaced, exit code unknown"

    def terminate(self) -> None:
        """Ask the program to end; it sees to its own children."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def abort(self) -> None:
        """Send SIGABRT to a hanging program, so that it can log where it hangs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGABRT)

    def kill_group(self) -> None:
        """End the program and whatever it started, now."""
        kill_group(self.pid)

    def close_line(self) -> None:
        """Let go of what only spares of this process need."""
        if self.line is not None:
            self.line.close()
            self.line = None


def kill_group(pid: int) -> None:
    """Kill a program's whole process group, leader or leftovers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """Put an exit status of `subprocess` into words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def spawn(program: Program, lock_path: Path, *, spare_of: socket.socket | None = None) -> Process:
    """Start `program` in a session of its own, holding `lock_path`.

    As a spare when it is given the line of the process to stand by for. Raises
    `StillHeld` while a copy holds the lock, and `CannotStart`.
    """
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    ours, theirs = socket.socketpair() if program.spare else (None, None)
    try:
        _take(lock)
        os.ftruncate(lock, 0)  # the pid of an earlier run must not stand for this one
        lines = {HEIR_VARIABLE: theirs, SPARE_VARIABLE: spare_of}
        child = _execute(program, lock, {name: end for name, end in lines.items() if end})
        process = Process(child.pid, program.revision, child, ours)
        ours = None
        return process
    finally:
        os.close(lock)
        for end in (ours, theirs):  # of theirs no copy may be left: its closing is the signal
            if end is not None:
                end.close()


def find_holder(lock_path: Path) -> Holder | None:
    """Tell which process holds a lock file; None when none does.

    Raises `StillHeld` in the instant in which it has not yet said its name.
    """
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        _take(lock)
        return None
    except StillHeld:
        try:
            pid, revision, stop_seconds = os.pread(lock, 200, 0).decode().split(" ")
            return Holder(int(pid), revision, float(stop_seconds))
        except ValueError:
            raise StillHeld from None
    finally:
        os.close(lock)


def find_process(pid: int, revision: str) -> Process | None:
    """Return the process of a pid if it runs, or None."""
    try:
        process = Process(pid, revision, None)
    except (psutil.Error, PermissionError):
        return None
    return process if process.exit_words() is None else None


def find_observed(seen: Observed) -> Process | None:
    """Return the recorded process if it runs, and not a later one with its pid."""
    process = None if seen.pid is None else find_process(seen.pid, seen.revision)
    if process is None:
        return None
    if seen.identity:
        return process if process.identity == seen.identity else None
    known = seen.create_time is None or abs(process.create_time - seen.create_time) <= 1.0
    return process if known else None


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StillHeld from None


def _execute(
    program: Program, lock: int, lines: dict[str, socket.socket]
) -> "subprocess.Popen[bytes]":
    def write_name() -> None:
        name = f"{os.getpid()} {program.revision} {program.stop_seconds}"
        os.pwrite(lock, name.encode(), 0)

    named = {name: str(end.fileno()) for name, end in lines.items()}
    try:
        with open(program.log, "ab") as log:
            return subprocess.Popen(
                program.command,
                env={**os.environ, **program.env, **named},
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock, *(end.fileno() for end in lines.values())),
                preexec_fn=write_name,
            )
    except (OSError, ValueError, subprocess.SubprocessError) as fault:
        raise CannotStart(f"cannot start {program.command[0]}: {fault}") from None


def _is_alive(process: psutil.Process) -> bool:
    try:
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    return bool(alive)
