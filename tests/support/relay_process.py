"""A relay process that is replaced by newer ones, and numbered traffic through it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import websockets

from tests.support.valkey import find_free_port
from tests.support.waiting import wait_until

TOKEN = "relay-admin-token-for-the-tests-0123456789"
COLOURS = ("blue", "green")


@dataclass
class RelayProcesses:
    """The relay that serves, and those before it."""

    directory: Path
    program_ports: Mapping[str, int]
    more: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the relay's environment."""
    output: int | None = None
    """Where a relay's log goes, as `subprocess` has it."""
    ports: dict[str, int] = field(default_factory=dict)
    admin_ports: dict[str, int] = field(default_factory=dict)
    current: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.ports = {colour: find_free_port() for colour in COLOURS}
        self.admin_ports = {colour: find_free_port() for colour in COLOURS}

    def environment(self) -> dict[str, str]:
        """Return the environment of a relay."""
        environment = dict(os.environ) | {"ISSHONI_ADMIN_TOKEN": TOKEN} | dict(self.more)
        environment["ISSHONI_RELAY_DIRECTORY"] = str(self.directory)
        for colour in COLOURS:
            name = f"ISSHONI_RELAY_{colour.upper()}"
            environment[f"{name}_PORT"] = str(self.ports[colour])
            environment[f"{name}_ADMIN_PORT"] = str(self.admin_ports[colour])
            environment[f"{name}_PROGRAM_PORT"] = str(self.program_ports[colour])
        return environment

    def start(self, *killed_at: str) -> "subprocess.Popen[bytes]":
        """Start a relay; if one serves, it takes over. `killed_at`: see `mortal_relay`."""
        module = "tests.support.mortal_relay" if killed_at else "isshoni.relay"
        command = [sys.executable, "-m", module, *killed_at]
        return subprocess.Popen(
            command, env=self.environment(), stdout=self.output, stderr=self.output
        )

    async def start_first(self, *killed_at: str) -> None:
        """Start the first relay, and wait until a client can connect."""
        self.current = self.start(*killed_at)
        await wait_until(self.is_open, "the relay listens")

    def is_open(self) -> bool:
        """True if the relay accepts connections at its door."""
        with contextlib.suppress(OSError):
            os.close(_connect(self.ports["blue"]))
            return True
        return False

    async def upgrade(self) -> int:
        """Start a newer relay, and return the exit code of the one before it."""
        before, self.current = self.current, self.start()
        assert before is not None
        return await asyncio.to_thread(before.wait, 60)

    def kill(self) -> None:
        """End the relay that serves."""
        if self.current is not None:
            self.current.kill()
            self.current.wait()


def _connect(port: int) -> int:
    return socket.create_connection(("127.0.0.1", port), 1).detach()


@contextlib.asynccontextmanager
async def run_echo() -> AsyncIterator[int]:
    """Serve a program that sends each message back; return its port."""

    async def echo(socket: websockets.ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in socket:
                await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


class NumberedClient:
    """A stock client that sends numbers and gets them back."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.sent = 0
        self.got: list[int] = []
        self.slowest_seconds = 0.0
        self._sent_at: dict[int, float] = {}
        self.closed_with: int | None = None
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in self.socket:
                number = int(message)
                self.got.append(number)
                took = loop.time() - self._sent_at.pop(number, loop.time())
                self.slowest_seconds = max(self.slowest_seconds, took)
        self.closed_with = self.socket.close_code

    async def send(self) -> None:
        """Send the next number, unless the socket was closed."""
        self._sent_at[self.sent] = asyncio.get_running_loop().time()
        self.sent += 1
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.socket.send(str(self.sent - 1))

    @property
    def is_whole(self) -> bool:
        """True if every number came back once and in order, and nothing was closed."""
        return self.closed_with is None and self.got == list(range(self.sent))


@contextlib.asynccontextmanager
async def connect_clients(port: int, count: int) -> AsyncIterator[list[NumberedClient]]:
    """Open clients."""
    clients = []
    for n in range(count):
        url = f"ws://127.0.0.1:{port}/ws/{n % 20}"
        clients.append(NumberedClient(await websockets.connect(url, ping_interval=None)))
    try:
        yield clients
    finally:
        for client in clients:
            client.socket.transport.abort()
        await asyncio.gather(*(client.reading for client in clients))


async def talk(clients: list[NumberedClient], pause_seconds: float) -> None:
    """Let the clients send in turn until cancelled."""
    while True:
        for client in clients:
            await client.send()
            await asyncio.sleep(pause_seconds)


async def wait_until_whole(clients: list[NumberedClient]) -> None:
    """Wait until every client has got back what it sent; fail if one was closed."""
    await wait_until(
        lambda: all(len(c.got) >= c.sent or c.closed_with is not None for c in clients),
        "every number has come back",
    )
    assert {c.closed_with for c in clients} == {None}
    assert all(c.is_whole for c in clients)
