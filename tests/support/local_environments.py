"""Local environments for tests: free ports, short paths, everything killed at the end."""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.process import StillHeld, find_holder
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.supervision import supervisor_pid
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release

FREE_PORTS = Ports(**{name: 0 for name in Ports.model_fields})
_PROGRAM = Path(__file__).with_name("slot_program.py")


def slot_release(label: str, bend: Path | None = None, *, ready_path: str = "/readyz") -> Release:
    """Make a release of the test program; files in `bend` change how it behaves."""
    words = [sys.executable, str(_PROGRAM)]
    environment = ["env", f"TEST_SLOT_DIR={bend}"] if bend else []
    command = shlex.join([*environment, *words]) + " {port} {admin_port} {colour}"
    return Release(label, command=command, ready_path=ready_path)


@contextlib.contextmanager
def state_directory() -> Iterator[Path]:
    """Make a state directory; whatever still runs in it at the end is killed."""
    with tempfile.TemporaryDirectory(prefix="isshoni-") as name:
        path = Path(name)
        try:
            yield path
        finally:
            kill_everything(path)


def kill_everything(state_dir: Path) -> None:
    """Kill the supervisor first, then all that it kept."""
    pid = supervisor_pid(state_dir)
    if pid is not None:
        kill(pid)
    files = ProgramFiles(state_dir)
    for program in files.names():
        seen = files.observed(program)
        pids = {seen.pid, seen.spare_pid} if seen is not None else set()
        for path in files.lock_paths(program):
            with contextlib.suppress(StillHeld):  # one that has not said its name yet
                holder = find_holder(path)
                pids.add(holder.pid if holder else None)
        for found in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(found, signal.SIGKILL)


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.kill()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(5)


def pid_of(environment: LocalEnvironment, name: str) -> int:
    """Return the pid under which a program was last seen."""
    seen = ProgramFiles(environment.config.state_dir).observed(name)
    assert seen is not None and seen.pid is not None, f"{name} does not run"
    return seen.pid


@contextlib.asynccontextmanager
async def local_environment() -> AsyncIterator[LocalEnvironment]:
    """Make an environment that is not up yet, on free ports."""
    with state_directory() as state_dir:
        config = LocalConfig(state_dir=state_dir, ports=FREE_PORTS, stop_seconds=3.0)
        yield LocalEnvironment(config)


async def eventually_healthy(environment: LocalEnvironment, **wanted: bool) -> None:
    """Wait until the balancer finds the colours as `wanted`."""

    async def as_wanted() -> bool:
        health = await environment.traffic.observe_health()
        return all(health[colour] == wanted[colour] for colour in health if colour in wanted)

    assert await wait_until(as_wanted, 20.0), f"never {wanted}"


async def open_socket(environment: LocalEnvironment, query: str = "") -> ClientConnection:
    """Open a WebSocket through the balancer."""
    url = environment.addresses().public.replace("http", "ws", 1)
    return await connect(f"{url}/ws/test{query}", ping_interval=None)


def colour_of(socket: ClientConnection) -> str:
    """Return the colour that a socket is on, by the balancer's header."""
    assert socket.response is not None
    return socket.response.headers["x-isshoni-colour"]


async def echoes(sockets: list[ClientConnection]) -> bool:
    """True if every socket still carries a message there and back."""

    async def echo(socket: ClientConnection) -> bool:
        await socket.send("still here")
        return "still here" in str(await asyncio.wait_for(socket.recv(), 5.0))

    return all(await asyncio.gather(*(echo(socket) for socket in sockets)))


async def close_all(sockets: list[ClientConnection]) -> None:
    """Close sockets."""
    await asyncio.gather(*(socket.close() for socket in sockets))
