"""Two processes of an unmodified chat on one Redis, and a relay in front of them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Timing
from isshoni.relay.core.profiles.names import PLAIN
from isshoni.relay.doors import Door, FixedDoors
from isshoni.relay.relay import Relay
from tests.support.valkey import ValkeyServer, find_free_port

COLOURS = ("blue", "green")
Start = Callable[[str, int, dict[str, str]], "subprocess.Popen[bytes]"]
"""Starts a process of an application: its colour, its port, its environment."""


@dataclass
class Programs:
    """The processes of the chat by colour."""

    ports: dict[str, int]
    processes: dict[str, "subprocess.Popen[bytes]"]

    def stop(self, colour: str) -> None:
        """Freeze a process."""
        self.processes[colour].send_signal(signal.SIGSTOP)

    def resume(self, colour: str) -> None:
        """Let a frozen process continue."""
        self.processes[colour].send_signal(signal.SIGCONT)

    def kill(self, colour: str) -> None:
        """End a process at once."""
        self.processes[colour].kill()
        self.processes[colour].wait()


@pytest.fixture(scope="session")
def chat_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("relay-redis"), fsync="no")
    server.start()
    yield server
    server.kill()


@contextlib.asynccontextmanager
async def run_programs(start: Start, redis_url: str) -> AsyncIterator[Programs]:
    """Run a process of an application for each colour."""
    ports = {colour: find_free_port() for colour in COLOURS}
    processes = {
        colour: start(colour, port, os.environ | {"REDIS_URL": redis_url, "COLOUR": colour})
        for colour, port in ports.items()
    }
    try:
        for colour, port in ports.items():
            await _wait_until_it_answers(colour, port)
        yield Programs(ports, processes)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


@pytest.fixture
async def programs(chat_redis: ValkeyServer) -> AsyncIterator[Programs]:
    async with run_programs(run_app("tests.support.tutorial_chat:app"), chat_redis.url) as programs:
        yield programs


def run_app(app: str) -> Start:
    """Return what starts an ASGI application."""

    def start(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "uvicorn", app]
        command += ["--port", str(port), "--log-level", "warning"]
        return subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[3])

    return start


async def _wait_until_it_answers(colour: str, port: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/")
                assert answer.json() == colour
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"{colour} did not answer within 30 s")


@dataclass
class Doors:
    """A relay that serves, and its port by colour."""

    relay: Relay
    ports: dict[str, int]


@contextlib.asynccontextmanager
async def run_relay(programs: Programs, profile: str = PLAIN) -> AsyncIterator[Doors]:
    """Serve a relay's doors in front of the chat."""
    async with serve_relay(programs.ports, profile) as doors:
        yield doors


@contextlib.asynccontextmanager
async def serve_relay(
    programs: Mapping[str, int], profile: str = PLAIN, timing: Timing | None = None
) -> AsyncIterator[Doors]:
    """Serve a relay's doors in this process, in front of the programs' ports by colour."""
    behind = {
        colour: Door(programs=(("127.0.0.1", port),), profile=profile)
        for colour, port in programs.items()
    }
    relay = Relay(FixedDoors(behind), timing or Timing(dial_seconds=2.0))
    loop = asyncio.get_running_loop()
    ticking = asyncio.create_task(relay.tick())
    servers, ports, accepted = [], {}, []

    def accept(colour: str) -> ClientSocket:
        accepted.append(relay.accept(colour))
        return accepted[-1]

    for colour in COLOURS:
        server = await loop.create_server(partial(accept, colour), "127.0.0.1", 0)
        servers.append(server)
        ports[colour] = server.sockets[0].getsockname()[1]
    yield Doors(relay, ports)
    ticking.cancel()
    for server in servers:
        server.close()
    for client in accepted:
        if client._transport is not None:
            client._transport.abort()
    await asyncio.sleep(0.01)  # so that the transports end


@pytest.fixture
async def doors(programs: Programs) -> AsyncIterator[Doors]:
    async with run_relay(programs) as doors:
        yield doors
