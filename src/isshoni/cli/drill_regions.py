"""The two regions of a drill: started, killed and asked by the `isshoni` command only."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from isshoni.cli.config import load_config
from isshoni.cli.drill_loss import copy_data
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.port_allocation import read_chosen
from isshoni.environments.local.process import kill_group
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.region_block import list_running
from isshoni.environments.local.supervision import ensure_supervisor, supervisor_pid
from isshoni.environments.region_redis import RegionRedis
from isshoni.rollout.errors import EnvironmentFault

NAMES = ("east", "west")
_CONFIG = """
[rollout]
migrate_within_seconds = 5.0

[environments.local]
stop_seconds = 5.0

[environments.local.regions.east]
[environments.local.regions.west]
"""
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class DrillRegions:
    """Two regions in a directory of their own."""

    directory: Path

    @property
    def config_file(self) -> Path:
        """Return the path of their isshoni.toml."""
        return self.directory / "isshoni.toml"

    @property
    def shared(self) -> Path:
        """Return the directory of what belongs to no single region."""
        return self.directory / ".isshoni" / "regions"

    def files(self, name: str) -> ProgramFiles:
        """Return the program files of a region."""
        return ProgramFiles(self.shared / name)

    def url(self, name: str) -> str:
        """Return the WebSocket URL of a region."""
        return f"ws://127.0.0.1:{read_chosen(self.shared / name)['public']}"

    def redis_url(self, name: str) -> str:
        """Return the URL of a region's Redis."""
        port = read_chosen(self.shared / name)["redis"]
        return f"redis://:{load_credentials(self.shared / name).redis_password}@127.0.0.1:{port}/0"

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `isshoni` with these arguments; its progress is printed on our stderr."""
        environ = {**os.environ, "ISSHONI_CONFIG": str(self.config_file)}
        for name in ("ISSHONI_STATE_DIR", "SESSION_ENCRYPTION_KEY"):
            environ.pop(name, None)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "isshoni.cli",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            env=environ,
        )

    async def run(self, *arguments: str) -> dict[str, Any]:
        """Run `isshoni … --json`, and return what it prints; raises `EnvironmentFault`."""
        process = await self.start(*arguments, "--json")
        written, _ = await process.communicate()
        try:
            answer: dict[str, Any] = msgspec.json.decode(written)
        except msgspec.DecodeError:
            raise EnvironmentFault(
                f"`isshoni {' '.join(arguments)}` ended with exit code {process.returncode}"
            ) from None
        return answer

    async def up(self) -> None:
        """Start both regions: the first serves, the second is its standby."""
        for name in NAMES:
            await self.run("up", "drill", "--region", name)

    def kill(self, name: str) -> None:
        """Kill every program of a region at once, its supervisor first."""
        pid = supervisor_pid(self.shared / name)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        for pid in list_running(self.files(name)):
            kill_group(pid)

    def copy_data(self, name: str, to: str) -> Path:
        """Copy the data of a region's Redis, and return where."""
        target = self.directory / to
        shutil.rmtree(target, ignore_errors=True)
        copy_data(self.shared / name / "redis", target)
        return target

    def keep_programs(self, name: str) -> dict[str, bytes]:
        """Return what should run in a region, as its supervisor would find it after a restart."""
        return {path.name: path.read_bytes() for path in self._programs(name).glob("[!.]*.json")}

    async def return_programs(self, name: str, kept: dict[str, bytes]) -> None:
        """Start a region that was lost again, as it was: it still believes that it serves."""
        for file, content in kept.items():
            (self._programs(name) / file).write_bytes(content)
        await ensure_supervisor(self.shared / name)

    def _programs(self, name: str) -> Path:
        return self.shared / name / "programs"

    def find_step(self) -> str | None:
        """Return the step of the running failover; None if none runs."""
        path = self.shared / "failovers.sqlite"
        with closing(SqliteFailovers(path)) as journal:
            saved = journal.read_latest_failover()
        if saved is None or saved.failover.outcome != "running":
            return None
        return str(saved.failover.step.name)

    def signal_redis(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the Redis of a region."""
        seen = self.files(name).observed("redis")
        if seen is not None and seen.pid is not None:
            os.kill(seen.pid, number)

    @contextlib.asynccontextmanager
    async def without_promotion(self, name: str) -> Any:
        """Make the Redis of a region refuse to be promoted."""
        redis = RegionRedis(self.redis_url(name))
        try:
            await redis.command("ACL", "SETUSER", "default", "-replicaof")
            try:
                yield
            finally:
                await redis.command("ACL", "SETUSER", "default", "+replicaof")
        finally:
            await redis.aclose()


async def poll(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until a condition is true; raises `EnvironmentFault` if it never is."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.02)
    raise EnvironmentFault(f"what the drill waits for did not happen in {_PATIENCE_SECONDS:g} s")


@contextmanager
def open_drill(keep: Path | None) -> Iterator[DrillRegions]:
    """Make the directory of a drill; at the end everything in it is killed and removed."""
    with TemporaryDirectory(prefix="isshoni-drill-") as name:
        regions = DrillRegions(Path(name))
        regions.config_file.write_text(_CONFIG)
        load_config(regions.config_file, {})
        try:
            yield regions
        finally:
            for region in NAMES:
                if (regions.shared / region).exists():
                    regions.kill(region)
                    if keep is not None:
                        logs = regions.shared / region / "logs"
                        shutil.copytree(logs, keep / region, dirs_exist_ok=True)
