"""The wanted and the observed programs of a state directory, as files.

`programs/NAME.json` says what should run; only the environment writes it.
`observed/NAME.json` says what runs; only the supervisor writes it.
"""

import hashlib
from pathlib import Path

import msgspec

from isshoni.environments.local.files import (
    DamagedFile,
    read_bytes,
    read_json,
    write_atomically,
)


class Program(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program that should run as long as its file exists.

    Defaults are not written: a field that a later Isshoni adds changes no revision, so
    that an upgrade restarts nothing.
    """

    command: list[str]
    log: str
    stop_seconds: float
    """From SIGTERM to SIGKILL."""
    env: dict[str, str] = {}
    """Added to the supervisor's own environment."""
    cwd: str | None = None
    label: str = ""
    """Data of the program that wrote the file; the supervisor ignores it."""
    spare: bool = False
    """Keep a second process that takes over when the first dies (backend/process/succession.py)."""

    takes_over: bool = False
    """A new revision continues with the sockets of the running one, which then ends by itself."""

    pulse: str = ""
    """The URL of the liveness check (pulse.py); empty for none."""
    hang_seconds: float = 0.0
    """Seconds without an answer before it is killed and restarted; 0: never."""
    processes: int = 1
    """In the file of a slot's process 0: how many processes the slot has."""

    @property
    def revision(self) -> str:
        """Return a hash that changes if the program must be restarted."""
        parts = (self.command, self.env, self.cwd, self.log, self.label)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


class Observed(msgspec.Struct, frozen=True):
    """What the supervisor last saw of a program."""

    revision: str
    pid: int | None = None
    """None: it does not run at the moment."""
    create_time: float | None = None
    """The start time for earlier versions; it changes when the machine's clock is set."""
    identity: str = ""
    """From `identify_process`; empty if an earlier version wrote this."""
    stop_seconds: float = 0.0
    restarts: int = 0
    last_exit: str | None = None
    spare_pid: int | None = None
    upgrade_fault: str | None = None
    """Why a new revision could not take over; the one before goes on."""
    answered: bool = False
    """True once it has answered since its start: only then can silence mean a hang."""
    log_start: int = 0
    """The size that its log had when this revision was started first."""


class ProgramFiles:
    """The files by which the environment and its supervisor communicate."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._programs = state_dir / "programs"
        self._observed = state_dir / "observed"
        self._locks = state_dir / "locks"
        self._spare_locks = self._locks / "spare"
        self._logs = state_dir / "logs"

    def make_directories(self) -> None:
        """Create missing directories, readable by their owner only."""
        for directory in (self._programs, self._observed, self._spare_locks, self._logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def log_path(self, name: str) -> Path:
        """Return the path of a program's log."""
        return self._logs / f"{name}.log"

    def lock_path(self, name: str) -> Path:
        """Return the path of the file that a running program has locked."""
        return self._locks / f"{name}.lock"

    def lock_paths(self, name: str) -> tuple[Path, Path]:
        """Return the two paths of which a program and its spare lock one each."""
        return self.lock_path(name), self._spare_locks / f"{name}.lock"

    def want(self, name: str, program: Program) -> None:
        """Store that `program` should run as `name`. Idempotent."""
        path = self._programs / f"{name}.json"
        content = msgspec.json.encode(program)
        if read_bytes(path) != content:
            write_atomically(path, content)

    def unwant(self, name: str) -> None:
        """Store that nothing should run as `name`. Idempotent."""
        (self._programs / f"{name}.json").unlink(missing_ok=True)

    def wanted(self, name: str) -> Program | None:
        """Return the program that should run as `name`, if any; raises `DamagedFile`."""
        advice = (
            "restore it from a backup; or remove it, which ends the program, then run `isshoni "
            "up`, which writes it again"
        )
        return read_json(self._programs / f"{name}.json", Program, advice)

    def observed(self, name: str) -> Observed | None:
        """Return the program observed as `name`; None if none is known."""
        try:
            return read_json(self._observed / f"{name}.json", Observed, "")
        except DamagedFile:  # incomplete after a power cut: the lock file says what runs
            return None

    def record(self, name: str, observed: Observed) -> None:
        """Store what runs as `name`; need not survive a power cut, which no program does."""
        path = self._observed / f"{name}.json"
        write_atomically(path, msgspec.json.encode(observed), durable=False)

    def forget(self, name: str) -> None:
        """Store that nothing runs as `name`."""
        (self._observed / f"{name}.json").unlink(missing_ok=True)

    def names_logged(self) -> set[str]:
        """Return the names of all programs that have a log."""
        return {path.stem for path in self._logs.glob("[!.]*.log")}

    def names_wanted(self) -> set[str]:
        """Return the names of all programs that should run."""
        return {path.stem for path in self._programs.glob("[!.]*.json")}

    def names(self) -> set[str]:
        """Return the names of all programs that should run or may still run."""
        paths = (*self._observed.glob("[!.]*.json"), *self._locks.glob("*.lock"))
        return self.names_wanted() | {path.stem for path in paths}
