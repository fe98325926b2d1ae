"""An installation used as an operator uses it: by the `isshoni` command only."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.local_environments import kill_everything

CONFIG = """
[rollout]
{rollout}

[environments.local]
{local}

[environments.local.ports]
public = 0
balancer_admin = 0
redis = 0
blue = 0
blue_admin = 0
green = 0
green_admin = 0
"""
QUICK: dict[str, float | bool | list[int]] = {
    "bake_seconds": 1.0,
    "drain_timeout_seconds": 10.0,
    "migrate_within_seconds": 5.0,
}


class Installation:
    """A directory with an `isshoni.toml`, and the command run in it."""

    def __init__(self, directory: Path, **rollout: float | bool | list[int]) -> None:
        self.directory = directory
        self._rollout = QUICK | rollout
        self.configure()

    def configure(self, **local: float | str) -> None:
        """Write the configuration, with these settings of the local environment."""
        text = CONFIG.format(rollout=_as_toml(self._rollout), local=_as_toml(local))
        (self.directory / "isshoni.toml").write_text(text)

    def plan(self, **rollout: float | bool | list[int]) -> None:
        """Change settings of the next rollouts."""
        self._rollout |= rollout
        self.configure()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run the command, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "isshoni.cli", *arguments],
            cwd=self.directory,
            env={**os.environ, "ISSHONI_STATE_DIR": str(self.directory / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 90.0) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        process = self.start(*arguments)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            raise AssertionError(
                f"{arguments} took over {timeout} s:\n{stdout}\n{stderr}"
            ) from None
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def up(self, version: str = "v1.0") -> None:
        """Bring it up."""
        done = self.run("up", version)
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        """Read `status --json`."""
        stand: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return stand

    def wait_for(self, what: str, true_of: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read the status until something is true of it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            stand = self.status()
            if true_of(stand):
                return stand
            time.sleep(0.05)
        raise AssertionError(f"never happened: {what}; {stand}")

    def pid(self, program: str) -> int:
        """Return the pid of a program, as the supervisor recorded it."""
        observed = self.directory / "state" / "observed" / f"{program}.json"
        pid: int = json.loads(observed.read_text())["pid"]
        return pid


def _as_toml(settings: Mapping[str, float | str | list[int]]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())


@contextmanager
def installation(**rollout: float | bool | list[int]) -> Iterator[Installation]:
    """Make an installation with these settings of a rollout; all is killed at the end."""
    with tempfile.TemporaryDirectory(prefix="isshoni-") as name:
        directory = Path(name)
        try:
            yield Installation(directory, **rollout)
        finally:
            kill_everything(directory / "state")
