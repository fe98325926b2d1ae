"""The real command line, on a local environment of its own."""

import asyncio
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.state import Rollout
from tests.support.local_environments import kill_everything, state_directory

CONFIG = """
[rollout]
{rollout}

[environments.local]
stop_seconds = 3.0
redis_fsync = "everysec"

[environments.local.ports]
public = 0
balancer_admin = 0
redis = 0
blue = 0
blue_admin = 0
green = 0
green_admin = 0
"""

QUICK: dict[str, float | list[int] | str] = {
    "bake_seconds": 0.3,
    "weight_timeout_seconds": 3,
    "start_timeout_seconds": 15,
    "migrate_within_seconds": 5,
    "drain_timeout_seconds": 10,
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """Runs `isshoni` on one state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "state"
        self.config_file = directory / "isshoni.toml"
        self.configure()

    def configure(self, **settings: float | list[int] | str) -> None:
        """Write the configuration: a quick rollout, but for these settings of it."""
        rollout = QUICK | settings
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in rollout.items())
        self.config_file.write_text(CONFIG.format(rollout=lines))

    async def start(
        self, *words: str, deadly: Path | None = None, shell: str | None = None
    ) -> asyncio.subprocess.Process:
        """Start a command; `deadly`: with the list of where it has died.

        `shell`: a line for bash in which `{}` stands for the command.
        """
        program = ["isshoni.cli"] if deadly is None else ["tests.support.deadly_engine"]
        listed = [] if deadly is None else [str(deadly)]
        environ = os.environ | {
            "ISSHONI_CONFIG": str(self.config_file),
            "ISSHONI_STATE_DIR": str(self.state_dir),
        }
        full = [sys.executable, "-m", *program, *listed, *words]
        if shell is not None:
            full = ["bash", "-c", shell.replace("{}", shlex.join(full))]
        return await asyncio.create_subprocess_exec(
            *full,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ,
        )  # fmt: skip

    async def run(self, *words: str, deadly: Path | None = None) -> Ended:
        """Run a command to its end."""
        return await finish(await self.start(*words, deadly=deadly))

    async def wait_for_step(self, title: str) -> None:
        """Wait until the rollout that runs is at a step."""
        await self.wait_until(lambda rollout: rollout.step.title == title)

    async def wait_until(self, reached: Callable[[Rollout], bool], seconds: float = 40.0) -> None:
        """Wait until a condition is true of the rollout that runs."""
        async with asyncio.timeout(seconds):
            while True:
                rollout = self.read_rollout()
                if rollout and rollout.outcome == "running" and reached(rollout):
                    return
                await asyncio.sleep(0.02)

    def read_rollout(self) -> Rollout | None:
        """Read the latest rollout from the journal."""
        journal = SqliteJournal(self.state_dir / "journal.sqlite")
        try:
            latest = journal.read_latest()
        finally:
            journal.close()
        return latest.rollout if latest else None

    def read_engine_pid(self) -> int:
        """Read which process works on the rollout."""
        journal = SqliteJournal(self.state_dir / "journal.sqlite")
        try:
            lease = journal.read_lease()
        finally:
            journal.close()
        assert lease is not None
        return lease.holder.pid

    async def status(self) -> Any:
        """Return the output of `status --json`."""
        return (await self.run("status", "--json")).json


async def finish(process: asyncio.subprocess.Process) -> Ended:
    """Wait for a command's end."""
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@contextlib.contextmanager
def command() -> Iterator[Command]:
    """Make a command line; everything that it started is killed at the end."""
    with state_directory() as directory:
        (directory / "state").mkdir()
        try:
            yield Command(directory)
        finally:
            kill_everything(directory / "state")
