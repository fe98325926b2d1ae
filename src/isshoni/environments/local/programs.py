"""The desired and the observed programs of a state directory, as files.

`programs/NAME.json` says what should run; only the environment writes it.
`observed/NAME.json` says what runs; only the supervisor writes it.
"""

import hashlib
from pathlib import Path

import msgspec

from isshoni.environments.local.files import read_bytes, write_atomically


class Program(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program that should run for as long as its file is there.

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
    """What it is to those who asked for it; the supervisor does not look at it."""
    spare: bool = False
    """Keep a second process that takes over when the first dies (backend/process/succession.py)."""

    pulse: str = ""
    """The URL of the liveness check (pulse.py); empty for none."""
    hang_seconds: float = 0.0
    """Seconds without an answer before it is ended and started again; 0: never."""

    @property
    def revision(self) -> str:
        """Give what changes when the program must be started anew."""
        parts = (self.command, self.env, self.cwd, self.log, self.label)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


class Observed(msgspec.Struct, frozen=True):
    """What the supervisor last saw of a program."""

    revision: str
    pid: int | None = None
    """None: it does not run just now."""
    create_time: float | None = None
    """The start time for earlier versions; it changes when the machine's clock is set."""
    identity: str = ""
    """From `identify_process`; empty if an earlier version wrote this."""
    stop_seconds: float = 0.0
    restarts: int = 0
    last_exit: str | None = None
    spare_pid: int | None = None
    answered: bool = False
    """True once it has answered since its start: only then can silence mean a hang."""


class ProgramFiles:
    """The files that the environment and its supervisor talk through."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._programs = state_dir / "programs"
        self._observed = state_dir / "observed"
        self._locks = state_dir / "locks"
        self._spare_locks = self._locks / "spare"
        self._logs = state_dir / "logs"

    def make_directories(self) -> None:
        """Create what is missing; only the owner may look in."""
        for directory in (self._programs, self._observed, self._spare_locks, self._logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def log_path(self, name: str) -> Path:
        """Give where a program's output goes."""
        return self._logs / f"{name}.log"

    def lock_path(self, name: str) -> Path:
        """Give the file that a running program holds locked."""
        return self._locks / f"{name}.lock"

    def lock_paths(self, name: str) -> tuple[Path, Path]:
        """Give the files that a program and its spare hold locked, each one of them."""
        return self.lock_path(name), self._spare_locks / f"{name}.lock"

    def want(self, name: str, program: Program) -> None:
        """Say that `program` should run under `name`. Idempotent."""
        path = self._programs / f"{name}.json"
        content = msgspec.json.encode(program)
        if read_bytes(path) != content:
            write_atomically(path, content)

    def unwant(self, name: str) -> None:
        """Say that nothing should run under `name`. Idempotent."""
        (self._programs / f"{name}.json").unlink(missing_ok=True)

    def wanted(self, name: str) -> Program | None:
        """Read what should run under `name`; raises `msgspec.DecodeError`."""
        content = read_bytes(self._programs / f"{name}.json")
        return None if content is None else msgspec.json.decode(content, type=Program)

    def observed(self, name: str) -> Observed | None:
        """Read what runs under `name`; None: nothing, as far as is known."""
        content = read_bytes(self._observed / f"{name}.json")
        try:
            return None if content is None else msgspec.json.decode(content, type=Observed)
        except msgspec.DecodeError:  # half a file, from a power cut: the lock tells the truth
            return None

    def record(self, name: str, observed: Observed) -> None:
        """Write what runs under `name`. No power cut leaves a program running to be found."""
        path = self._observed / f"{name}.json"
        write_atomically(path, msgspec.json.encode(observed), durable=False)

    def forget(self, name: str) -> None:
        """Say that nothing runs under `name`."""
        (self._observed / f"{name}.json").unlink(missing_ok=True)

    def names_wanted(self) -> set[str]:
        """Give every name that something should run under."""
        return {path.stem for path in self._programs.glob("[!.]*.json")}

    def names(self) -> set[str]:
        """Give every name that is wanted, or may still run."""
        paths = (*self._observed.glob("[!.]*.json"), *self._locks.glob("*.lock"))
        return self.names_wanted() | {path.stem for path in paths}
