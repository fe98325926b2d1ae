"""A relay process in front of two programs, and raw clients of it."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.support.valkey import find_free_port

from isshoni.environments.backend_api import HttpBackends
from isshoni.rollout.model import Colour

TOKEN = "relay-admin-token-for-the-benchmarks-0123456789"
COLOURS: tuple[Colour, Colour] = ("blue", "green")
ROOT = Path(__file__).parents[2]
_REQUEST = (
    "GET {} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass
class Relayed:
    """The relay's process and ports, and those of its programs."""

    process: "subprocess.Popen[bytes]"
    doors: dict[Colour, int]
    programs: dict[Colour, int]
    backends: HttpBackends

    def cpu_seconds(self) -> float:
        """Return the processor time that the relay has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Return the memory that the relay has."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def connections(self, colour: Colour) -> int:
        """Return how many clients a colour serves."""
        status = await self.backends.status(colour)
        return -1 if status is None else status.connections

    async def move_all(self, away: Colour, to: Colour, rate: float) -> float:
        """Move every client of a colour; return the seconds that it took."""
        began = time.perf_counter()
        await self.backends.migrate(away, to, rate_per_second=rate, within_seconds=60.0)
        while await self.connections(away):
            await asyncio.sleep(0.05)
        await self.backends.cancel_migration(away)
        return time.perf_counter() - began


def raise_limit() -> int:
    """Allow as many open files as this user may have; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (max(hard, 65_536), hard):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
    return hard


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the block."""
    process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def relayed(
    make_command: Callable[[int], list[str]], environment: dict[str, str]
) -> AsyncIterator[Relayed]:
    """Run a program for each colour, and a relay in front of them."""
    programs = {colour: find_free_port() for colour in COLOURS}
    doors = {colour: find_free_port() for colour in COLOURS}
    admin = {colour: find_free_port() for colour in COLOURS}
    settings = {"ISSHONI_ADMIN_TOKEN": TOKEN}
    for colour in COLOURS:
        name = f"ISSHONI_RELAY_{colour.upper()}"
        settings[f"{name}_PORT"] = str(doors[colour])
        settings[f"{name}_ADMIN_PORT"] = str(admin[colour])
        settings[f"{name}_PROGRAM_PORT"] = str(programs[colour])
    with contextlib.ExitStack() as stack:
        for colour, port in programs.items():
            own = environment | {"COLOUR": colour}
            stack.enter_context(running(make_command(port), own))
        process = stack.enter_context(running([sys.executable, "-m", "isshoni.relay"], settings))
        urls: dict[Colour, str] = {c: f"http://127.0.0.1:{port}" for c, port in admin.items()}
        backends = HttpBackends(urls, TOKEN, lambda colour: True)
        bench = Relayed(process, doors, programs, backends)
        await _wait_until_ready(bench)
        yield bench


async def _wait_until_ready(bench: Relayed) -> None:
    for _ in range(600):
        found = [await bench.backends.status(colour) for colour in COLOURS]
        if all(status is not None and status.ready for status in found):
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the relay or its programs are not ready after 30 s")


class RawClient(asyncio.Protocol):
    """A client's socket: what comes after the handshake goes to a function."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_open = False
        self.transport: asyncio.Transport | None = None
        self.receive: Callable[[bytes], None] = lambda data: None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_REQUEST.format(self._path).encode())

    def data_received(self, data: bytes) -> None:
        """Pass on what comes after the handshake."""
        if self._is_open:
            self.receive(data)
        elif b"\r\n\r\n" in data:
            self._is_open = True
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the end."""
        self.ended = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("no WebSocket"))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.transport is not None and not self.ended:
            self.transport.write(data)

    def close(self) -> None:
        """Close the socket now."""
        if self.transport is not None:
            self.transport.abort()


async def connect(port: int, path: str = "/") -> RawClient:
    """Open a WebSocket."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: RawClient(path), "127.0.0.1", port)
    await client.opened
    return client


async def connect_many(port: int, count: int, path: str = "/{}") -> list[RawClient]:
    """Open many, some at a time."""
    clients: list[RawClient] = []
    while len(clients) < count:
        some = range(len(clients), min(count, len(clients) + 100))
        clients += await asyncio.gather(*(connect(port, path.format(n)) for n in some))
    return clients
