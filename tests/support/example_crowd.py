"""Stock clients of the applications in examples/, and the ledger of what they sent and got."""

import asyncio
import contextlib
import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import websockets

from tests.support.foreign_clients import FRONTEND

COUNT, ROOMS, EVERY_SECONDS = 12, 3, 0.25


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
        counts = Counter(member.got)
        doubled += sum(count - 1 for count in counts.values())
        for author in members:
            if hears(member, author):
                lost += sum(1 for text in author.sent if text not in counts)
                mine = [int(t.split(":")[1]) for t in member.got if t.split(":")[0] == author.name]
                reordered += sum(1 for a, b in itertools.pairwise(mine) if b < a)
    return Ledger(lost, doubled, reordered, sum(member.ends for member in members))


async def settle(crowd: Crowd, hears: Hears) -> list[Member]:
    """Wait until nothing is missing, for 15 s at most, and return what each client has."""
    for _ in range(150):
        members = await crowd.report()
        if judge(members, hears).lost == 0:
            break
        await asyncio.sleep(0.1)
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

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._members = [Member(f"m{n}", f"r{n % ROOMS}") for n in range(COUNT)]
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
                await asyncio.sleep(EVERY_SECONDS / COUNT)


def has_node_clients() -> bool:
    """Return True if this machine can run the clients of npm."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules" / "@hocuspocus").is_dir()


class NodeCrowd:
    """Clients of an npm package, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, kind: str, url: str) -> AsyncIterator["NodeCrowd"]:
        """Start the clients, wait until all are connected; they are gone at the end."""
        process = await asyncio.create_subprocess_exec(
            "node",
            *("compat/example-clients.mjs", kind, url),
            *(str(COUNT), str(ROOMS), str(EVERY_SECONDS * 1000)),
            cwd=FRONTEND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
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
