"""Start a program once, find it again, and stop it with all its children.

A program inherits a locked file, into which its pid is written before it is executed. The
kernel releases the lock with the last process that has the file open. So a supervisor can
tell at any moment, and after any crash, whether a copy runs and which process it is.
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
    """A copy of the program, or one of its children, is still running."""


class CannotStart(Exception):
    """The program cannot be executed; the message says why."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock file, as written in the file."""

    pid: int
    revision: str
    stop_seconds: float


class Process:
    """A program's main process, started by this supervisor or found by it."""

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
        """The socket on which a spare asks it for its listening sockets; None if it was found."""
        self._child = child
        self._seen = psutil.Process(pid)
        self.create_time: float = self._seen.create_time()
        self.identity = identify_process(pid) or ""

    def exit_words(self) -> str | None:
        """Return how it ended; None while it runs."""
        if self._child is not None:
            code = self._child.poll()
            return None if code is None else describe_exit(code)
        if _is_alive(self._seen):
            return None
        return "it ended while its supervisor was being replaced, exit code unknown"

    def terminate(self) -> None:
        """Send SIGTERM to the main process only; it stops its own children."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def abort(self) -> None:
        """Send SIGABRT to a hanging program, so that it can log where it hangs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGABRT)

    def kill_group(self) -> None:
        """Kill the program and all its children at once."""
        kill_group(self.pid)

    def close_line(self) -> None:
        """Close the socket that only spares of this process use."""
        if self.line is not None:
            self.line.close()
            self.line = None


def kill_group(pid: int) -> None:
    """Kill a program's process group, even if its leader is dead."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """Return an exit status of `subprocess` in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def spawn(program: Program, lock_path: Path, *, spare_of: socket.socket | None = None) -> Process:
    """Start `program` in a session of its own, with `lock_path` locked.

    With `spare_of`, the socket of another process, it starts as that one's spare. Raises
    `StillHeld` while a copy holds the lock, and `CannotStart`.
    """
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    ours, theirs = socket.socketpair() if program.spare else (None, None)
    try:
        _lock_file(lock)
        os.ftruncate(lock, 0)  # else the pid of an earlier run could be taken for this one's
        lines = {HEIR_VARIABLE: theirs, SPARE_VARIABLE: spare_of}
        child = _execute(program, lock, {name: end for name, end in lines.items() if end})
        process = Process(child.pid, program.revision, child, ours)
        ours = None
        return process
    finally:
        os.close(lock)
        for end in (
            ours,
            theirs,
        ):  # the child's end must close with the child: that is the signal for its spare
            if end is not None:
                end.close()


def find_holder(lock_path: Path) -> Holder | None:
    """Return the process that holds a lock file; None if none does.

    Raises `StillHeld` if the process has not yet written its pid into it.
    """
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        _lock_file(lock)
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


def _lock_file(lock: int) -> None:
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
