"""The supervisor of a state directory: starts and stops programs as their files say.

`python -m isshoni.environments.local.supervisor STATE_DIR [--detach | --replace]`

`--replace`: end another supervisor of the directory first, and log to stderr too: for a service
of systemd, whose main process this is.

The programs run in sessions of their own and outlive it; the next supervisor finds them
by the locks that they hold.
"""

import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

from isshoni.environments.local.files import DamagedFile
from isshoni.environments.local.keeper import Keeper
from isshoni.environments.local.logs import bound_log
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.rollout_watch import RolloutWatch, start_attending

TURN_SECONDS = 0.025
QUIET_AFTER_SECONDS = 5.0
"""From when only one slot is running until its spare is loaded."""
_BOUND_LOGS_EVERY_SECONDS = 1.0
_REPLACE_PATIENCE_SECONDS = 10.0
_LOCK_PATIENCE_SECONDS = 0.3
"""A command that checks the lock holds it for an instant."""

logger = logging.getLogger("supervisor")


class Supervisor:
    """Checks every program, 40 times a second."""

    def __init__(self, state_dir: Path) -> None:
        self._files = ProgramFiles(state_dir)
        self._keepers = {name: Keeper(name, self._files) for name in self._files.names()}
        self._faults: dict[str, str] = {}
        self._logs_bounded_at = 0.0
        self._quiet_after = 0.0
        log = self._files.log_path("supervisor")
        self._rollouts = RolloutWatch(state_dir, lambda: start_attending(state_dir, log))

    def turn(self, now: float) -> None:
        """Do one step for every program towards what its file says."""
        for name in self._files.names_wanted() - self._keepers.keys():
            self._keepers[name] = Keeper(name, self._files)
        quiet, with_spares = now > self._quiet_after, set()
        for name in list(self._keepers):
            try:
                wanted = self._files.wanted(name)
                if wanted is not None and wanted.spare:
                    with_spares.add(_name_slot(name))
                if not self._keepers[name].turn(wanted, now, quiet=quiet):
                    del self._keepers[name]
            except (OSError, DamagedFile) as fault:
                # A full disk, or a damaged file: leave the program as it is.
                self._complain(name, fault)
            else:
                self._faults.pop(name, None)
        if len(with_spares) != 1:  # two: during a rollout the other slot serves if one dies
            self._quiet_after = now + QUIET_AFTER_SECONDS
        if now - self._logs_bounded_at > _BOUND_LOGS_EVERY_SECONDS:
            self._logs_bounded_at = now
            for name in (*self._keepers, "supervisor", "engine"):
                bound_log(self._files.log_path(name))
        self._watch_rollouts(now)

    def _watch_rollouts(self, now: float) -> None:
        try:
            self._rollouts.turn(now)
        except (
            OSError,
            DamagedFile,
        ) as fault:  # no process can be started now; keep the programs running
            self._complain("isshoni attend", fault)

    def _complain(self, name: str, fault: Exception) -> None:
        if self._faults.get(name) != str(fault):
            logger.error("%s: %s", name, fault)
        self._faults[name] = str(fault)


def _name_slot(program: str) -> str:
    """Return the slot of a program: `green` for `green` and for `green-1`."""
    return program.partition("-")[0]


def take_lock(path: Path) -> int | None:
    """Lock the supervisor's file until this process ends; None if another one holds it.

    The file then has no pid in it, but keeps its block: on a full disk it would get no other.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    patience_ends = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(lock, b" " * os.fstat(lock).st_size, 0)
            return lock
        except BlockingIOError:
            if time.monotonic() > patience_ends:
                os.close(lock)
                return None
            time.sleep(0.01)


def raise_open_files_limit() -> None:
    """Raise the limit of open files, also for started programs, to the system's maximum."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says "infinity" and refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def replace_other(path: Path) -> int | None:
    """End the supervisor that holds the lock, and take it; None if that does not succeed."""
    patience_ends = time.monotonic() + _REPLACE_PATIENCE_SECONDS
    while (lock := take_lock(path)) is None and time.monotonic() < patience_ends:
        with contextlib.suppress(OSError, ValueError):  # it has no pid yet, or is gone
            os.kill(int(path.read_bytes()), signal.SIGTERM)
    return lock


def tell_service_manager(state: str) -> None:
    """Send a state to systemd if it started this process (sd_notify(3)), once."""
    address = os.environ.pop("NOTIFY_SOCKET", "")  # programs must not send any
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, contextlib.suppress(OSError):
        line.sendto(state.encode(), address.replace("@", "\0", 1))


def run(state_dir: Path, *, replaces: bool = False) -> int:
    """Supervise `state_dir` until SIGTERM; the programs keep running."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopped.append(received))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ProgramFiles(state_dir).make_directories()
    lock = (replace_other if replaces else take_lock)(state_dir / "supervisor.lock")
    if lock is None:
        logger.info("another supervisor runs for %s", state_dir)
        return 1 if replaces else 0
    raise_open_files_limit()
    supervisor = Supervisor(state_dir)
    logger.info("pid %d supervises %s", os.getpid(), state_dir)
    while not stopped and _is_still_ours(lock, state_dir / "supervisor.lock"):
        supervisor.turn(time.monotonic())
        _write_pid(lock)  # after a whole turn: now it counts as running
        tell_service_manager("READY=1")
        time.sleep(TURN_SECONDS)
    logger.info("pid %d ends; the programs keep running", os.getpid())
    return 0


def _write_pid(lock: int) -> None:
    pid = b"%d" % os.getpid()
    try:
        os.pwrite(lock, pid, 0)
        os.ftruncate(lock, len(pid))
    except OSError as fault:  # a full disk, and a file without a block: tried at each turn
        logger.error("cannot write the pid to supervisor.lock: %s", fault)


def _is_still_ours(lock: int, path: Path) -> bool:
    """True if the locked file is still the one at `path`.

    It is not if the state directory was removed or created again in the meantime.
    """
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def detach(log_path: Path) -> None:
    """Continue as a daemon: without terminal and parent, with output to `log_path`."""
    if os.fork():
        os._exit(0)
    os.setsid()
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)


def main(arguments: list[str]) -> int:
    """Run the command line of this module; return its exit code."""
    if not arguments or arguments[1:] not in ([], ["--detach"], ["--replace"]):
        print(
            "usage: python -m isshoni.environments.local.supervisor STATE_DIR "
            "[--detach | --replace]"
        )
        return 2
    state_dir = Path(arguments[0]).resolve()
    log = ProgramFiles(state_dir).log_path("supervisor")
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if len(arguments) == 2:
        ProgramFiles(state_dir).make_directories()
    if "--detach" in arguments:
        detach(log)
    elif "--replace" in arguments:
        handlers.append(logging.FileHandler(log))
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, handlers=handlers)
    return run(state_dir, replaces="--replace" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
