"""Stock clients of the applications in examples/, and the ledger of what they sent and got."""

import asyncio
import contextlib
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import websockets

from tests.support.foreign_clients import FRONTEND


@dataclass(frozen=True)
class Size:
    """How many clients there are, in how many rooms, and how often each of them sends."""

    count: int = 12
    rooms: int = 3
    every_seconds: float = 0.25


@dataclass
class Member:
    """What one client has sent and got."""

    name: str
    room: str
    sent: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    ends: int = 0
    """How often its connection was closed, or could not be opened."""
    left: int = 0
    """How often it saw another client leave."""
    open: bool = False


@dataclass(frozen=True)
class Ledger:
    """Faults of all clients."""

    lost: int
    doubled: int
    reordered: int
    ends: int


class Crowd(Protocol):
    """Clients of one application."""

    async def start(self) -> None:
        """Begin to send."""

    async def stop(self) -> None:
        """Send no more."""

    async def report(self) -> list[Member]:
        """Return what each client has sent and got until now."""


Hears = Callable[[Member, Member], bool]
"""True if the first client gets what the second one sends."""


def hears_all(member: Member, author: Member) -> bool:
    """Return True: everything goes to all clients."""
    return True


def hears_room(member: Member, author: Member) -> bool:
    """Return True if both are in one room."""
    return member.room == author.room


def hears_itself(member: Member, author: Member) -> bool:
    """Return True if a client is answered by the program alone."""
    return member is author


def judge(members: Sequence[Member], hears: Hears) -> Ledger:
    """Compare what was sent with what each client got."""
    lost = doubled = reordered = 0
    for member in members:
        got = _by_author(member.got)
        for author in members:
            numbers = got.get(author.name, [])
            distinct = set(numbers)
            doubled += len(numbers) - len(distinct)
            reordered += sum(1 for a, b in itertools.pairwise(numbers) if b < a)
            if hears(member, author):
                lost += sum(1 for number in range(len(author.sent)) if number not in distinct)
    return Ledger(lost, doubled, reordered, sum(member.ends for member in members))


def _by_author(got: Sequence[str]) -> dict[str, list[int]]:
    """Return the numbers of the messages of each author, in the order in which they came."""
    numbers: dict[str, list[int]] = {}
    for text in got:
        author, _, number = text.partition(":")
        numbers.setdefault(author, []).append(int(number))
    return numbers


SETTLE_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 8.7)
"""Seconds between the looks of `settle`: 15 s. Each look compares all messages that there are."""


async def settle(
    crowd: Crowd, hears: Hears, pauses: Sequence[float] = SETTLE_PAUSES
) -> list[Member]:
    """Wait until nothing is missing, for 15 s at most, and return what each client has."""
    members = await crowd.report()
    for seconds in pauses:
        if judge(members, hears).lost == 0:
            break
        await asyncio.sleep(seconds)
        members = await crowd.report()
    return members


@dataclass(frozen=True)
class Plain:
    """How to talk to an application with nothing but a WebSocket."""

    path: Callable[[Member], str]
    pack: Callable[[str], str]
    pattern: str
    """Finds the id in a message that counts; other messages are not counted."""


class PlainCrowd:
    """Clients of the library `websockets`."""

    def __init__(self, plain: Plain, size: Size) -> None:
        self._plain = plain
        self._pause_seconds = size.every_seconds / size.count
        self._members = [Member(f"m{n}", f"r{n % size.rooms}") for n in range(size.count)]
        self._sockets: list[websockets.ClientConnection] = []
        self._reading: list[asyncio.Task[None]] = []
        self._talking: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def run(self, url: str) -> AsyncIterator["PlainCrowd"]:
        """Open the clients; they are gone at the end."""
        for member in self._members:
            address = f"{url.replace('http', 'ws', 1)}{self._plain.path(member)}"
            # As a browser does: Channels refuses a client without an origin.
            origin = websockets.Origin(url)
            socket = await websockets.connect(address, open_timeout=30, origin=origin)
            self._sockets.append(socket)
            self._reading.append(asyncio.create_task(self._read(member, socket)))
            member.open = True
        try:
            yield self
        finally:
            await self.stop()
            for task in self._reading:
                task.cancel()
            await asyncio.gather(*self._reading, return_exceptions=True)
            await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def start(self) -> None:
        """Begin to send."""
        self._talking = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        """Send no more."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)

    async def report(self) -> list[Member]:
        """Return what each client has sent and got until now."""
        return self._members

    async def _read(self, member: Member, socket: websockets.ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in socket:
                found = re.search(self._plain.pattern, str(message))
                if found:
                    member.got.append(found[1])
        member.ends += 1

    async def _talk(self) -> None:
        while True:
            for member, socket in zip(self._members, self._sockets, strict=True):
                if not member.ends:
                    text = f"{member.name}:{len(member.sent)}"
                    member.sent.append(text)
                    await socket.send(self._plain.pack(text))
                await asyncio.sleep(self._pause_seconds)


def has_node_clients() -> bool:
    """Return True if this machine can run the clients of npm."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules" / "@hocuspocus").is_dir()


class NodeCrowd:
    """Clients of an npm package, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, kind: str, url: str, size: Size) -> AsyncIterator["NodeCrowd"]:
        """Start the clients, wait until all are connected; they are gone at the end."""
        process = await asyncio.create_subprocess_exec(
            "node",
            *("compat/example-clients.mjs", kind, url),
            *(str(size.count), str(size.rooms), str(size.every_seconds * 1000)),
            cwd=FRONTEND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 28,
        )
        try:
            crowd = cls(process)
            await crowd._wait_until_open()
            yield crowd
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def start(self) -> None:
        """Begin to send."""
        self._order("start")

    async def stop(self) -> None:
        """Send no more."""
        self._order("stop")

    async def report(self) -> list[Member]:
        """Return what each client has sent and got until now."""
        self._order("report")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        listed: list[dict[str, Any]] = json.loads(line)
        return [Member(**one) for one in listed]

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def _wait_until_open(self) -> None:
        for _ in range(300):
            members = await self.report()
            if all(member.open for member in members):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not open: {[m.name for m in members if not m.open]}")
