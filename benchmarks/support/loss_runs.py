"""Deploy an application under its stock clients, as it is usually done or through Isshoni."""

import asyncio
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.support.loss_peers import Peer
from benchmarks.support.plain_proxy import PlainProxy
from tests.support.examples import find_path, read_commands
from tests.support.foreign_clients import FRONTEND
from tests.support.installation import Installation, installation
from tests.support.valkey import ValkeyServer, find_free_port

from isshoni.verify.ports import COMMAND_PHASE, DeployReport, DeployRunner, PhaseSpan
from isshoni.verify.result import Result
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.stock import npm_folder
from isshoni.verify.stock.run import make_command, verify_stock
from isshoni.verify.users import Habits

CONTROL, RESTART, ISSHONI = "control", "restart", "isshoni"
HOWS = (CONTROL, RESTART, ISSHONI)
START_SECONDS = 30.0
STOP_SECONDS = 15.0
DONE = "done"


@dataclass(frozen=True)
class Effort:
    """How many clients talk, and for how long."""

    clients: int = 20
    rooms: int = 4
    messages_per_second: float = 2.0
    """Of each client."""
    seconds: float = 4.0
    """Before and after the deploy."""

    def settings(self) -> RunSettings:
        """Return the settings of a run; in one room if the application has only one."""
        return RunSettings(
            clients=self.clients,
            sessions=self.rooms,
            full_clients=self.clients,
            talk_seconds=self.seconds,
            quiet_seconds=self.seconds,
            habits=Habits(self.messages_per_second, 0.0),
        )


async def run_peer(peer: Peer, how: str, effort: Effort) -> Result:
    """Deploy a peer once, and return the result of its clients."""
    with tempfile.TemporaryDirectory(prefix="isshoni-loss-") as name, use_node_modules():
        if how == ISSHONI:
            return await _run_through_isshoni(peer, effort)
        directory = Path(name)
        peer.copy_to(directory)
        with ValkeyServer(directory, fsync="no") as redis:
            return await _restart(peer, how, effort, directory, redis.url)


@contextmanager
def use_node_modules() -> Iterator[None]:
    """Let stock clients use the packages of `frontend`, if they are installed there."""
    modules = FRONTEND / "node_modules"
    if modules.is_dir():
        os.environ.setdefault(npm_folder.MODULES_VARIABLE, str(modules))
    yield


class Program:
    """One process of an application."""

    def __init__(self, peer: Peer, directory: Path, redis_url: str) -> None:
        self.port = find_free_port()
        self._directory = directory
        words = read_commands(peer.example)["up"]
        self._command = shlex.split(words[words.index("--command") + 1])
        self._ready_path = words[words.index("--ready-path") + 1]
        self._environment = os.environ | {
            "REDIS_URL": redis_url,
            "PATH": find_path(os.environ["PATH"]),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [word.format(port=self.port) for word in self._command]
        self._process = await asyncio.create_subprocess_exec(
            *words,
            cwd=self._directory,
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline:
                with suppress(httpx.TransportError):
                    await client.get(f"http://127.0.0.1:{self.port}{self._ready_path}")
                    return
                await asyncio.sleep(0.05)
        raise TimeoutError(f"{' '.join(words)} did not answer within {START_SECONDS:g} s")

    async def stop(self) -> None:
        """End it by SIGTERM, as a restart does, and by force if it takes too long."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
                return


class RollingRestart:
    """Starts a new process, sends new connections to it, and ends the old one."""

    def __init__(self, proxy: PlainProxy, old: Program, new: Program) -> None:
        self._proxy, self._old, self._new = proxy, old, new

    async def deploy(self, version: str) -> DeployReport:
        """Replace the old process by the new one."""
        began = time.time()
        await self._new.start()
        self._proxy.upstream = self._new.port
        await self._old.stop()
        return DeployReport(DONE, phases=(PhaseSpan(COMMAND_PHASE, began, time.time()),))


async def _restart(peer: Peer, how: str, effort: Effort, directory: Path, redis_url: str) -> Result:
    old, new = (Program(peer, directory, redis_url) for _ in range(2))
    try:
        await old.start()
        async with PlainProxy(old.port) as proxy:
            restart = RollingRestart(proxy, old, new)
            return await _verify(peer, proxy.port, effort, None if how == CONTROL else restart)
    finally:
        await asyncio.gather(old.stop(), new.stop())


class IsshoniDeploy:
    """Deploys by the command of the application's README."""

    def __init__(self, platform: Installation, peer: Peer) -> None:
        self._platform = platform
        self._words = read_commands(peer.example)["deploy"]

    async def deploy(self, version: str) -> DeployReport:
        """Deploy it; the phase is the whole command."""
        began = time.time()
        done = await asyncio.to_thread(self._platform.run, *self._words)
        outcome = DONE if done.returncode == 0 else f"exit code {done.returncode}"
        reason = None if done.returncode == 0 else done.stderr[-500:]
        phases = (PhaseSpan(COMMAND_PHASE, began, time.time()),)
        return DeployReport(outcome, phases=phases, reason=reason)


async def _run_through_isshoni(peer: Peer, effort: Effort) -> Result:
    async with _up(peer) as platform:
        address = (await asyncio.to_thread(platform.status))["address"]
        port = int(address.rsplit(":", 1)[1])
        return await _verify(peer, port, effort, IsshoniDeploy(platform, peer))


@asynccontextmanager
async def _up(peer: Peer) -> AsyncIterator[Installation]:
    os.environ["PATH"] = find_path(os.environ["PATH"])
    with installation(bake_seconds=0.5, migrate_rate_per_second=100.0) as platform:
        peer.copy_to(platform.directory)
        done = await asyncio.to_thread(platform.run, *read_commands(peer.example)["up"])
        if done.returncode != 0:
            raise RuntimeError(f"`isshoni up` of {peer.name} failed: {done.stderr[-2000:]}")
        yield platform


async def _verify(peer: Peer, port: int, effort: Effort, runner: DeployRunner | None) -> Result:
    stock, settings = peer.stock(port), effort.settings()
    if not stock.names_rooms:
        settings = RunSettings(**(vars(settings) | {"sessions": 1}))
    return await verify_stock(
        stock,
        settings,
        make_command(peer.kind, say=lambda text: print(text, file=sys.stderr)),
        deploys=[] if runner is None else [PlannedDeploy("v2", DONE)],
        runner=runner,
    )
