"""Yjs clients that are not ours, as their users run them: y-websocket and pycrdt's provider."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pycrdt
from httpx_ws import AsyncWebSocketSession, aconnect_ws
from pycrdt.websocket.websocket import HttpxWebsocket

from isshoni.client import SessionClient

FRONTEND = Path(__file__).parents[2] / "frontend"
RETURN_SECONDS = 0.1
"""What the loop around pycrdt's provider waits, which itself never comes back."""


def has_y_websocket() -> bool:
    """Say whether this machine can run the npm package."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules" / "y-websocket").is_dir()


@dataclass
class Report:
    """What clients have drawn, what each of them sees, and how long each was cut."""

    drawn: set[str] = field(default_factory=set)
    documents: list[set[str]] = field(default_factory=list)
    gaps_ms: list[float] = field(default_factory=list)
    connects: list[int] = field(default_factory=list)
    stays_away: list[bool] = field(default_factory=list)
    present: list[int] = field(default_factory=list)
    """How many clients each of them sees."""
    removed: int = 0
    """How often one of them saw another client leave."""


class YWebsockets:
    """A Node process with stock y-websocket clients in it, all drawing."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def run(
        cls, url: str, session_id: str, count: int, every_seconds: float
    ) -> AsyncIterator[Self]:
        """Start them; they are gone at the end."""
        process = await asyncio.create_subprocess_exec(
            "node",
            *("compat/y-websocket.mjs", url, session_id, str(count)),
            str(every_seconds * 1000),
            cwd=FRONTEND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Draw no more."""
        self._order("stop")

    async def paste(self, size_bytes: int, element_id: str = "pasted") -> None:
        """Have the first of them set one element of this size."""
        self._order(f"paste {size_bytes} {element_id}")

    async def erase(self, element_id: str) -> None:
        """Have the first of them delete an element."""
        self._order(f"erase {element_id}")

    async def report(self) -> Report:
        """Ask them what they see."""
        self._order("report")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        said: dict[str, Any] = json.loads(line)
        documents = [set(document) for document in said["documents"]]
        connects, stays_away = said["connects"], said["stays_away"]
        return Report(
            set(said["drawn"]),
            documents,
            said["gaps_ms"],
            connects,
            stays_away,
            said["people"],
            said["removed"],
        )

    def _order(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())


class _Watched(HttpxWebsocket):
    """A channel that tells when its connection is gone."""

    def __init__(self, websocket: Any, path: str) -> None:
        super().__init__(websocket, path)
        self.gone = asyncio.Event()

    async def recv(self) -> bytes:
        try:
            return await super().recv()
        except Exception:
            self.gone.set()
            raise

    async def send(self, message: bytes) -> None:
        try:
            await super().send(message)
        except Exception:
            # What was not sent is in the document: the next connection brings it up.
            self.gone.set()


class PycrdtDrawer:
    """A document behind pycrdt's own provider, drawn into, connected again when cut."""

    def __init__(self, url: str, session_id: str, name: str) -> None:
        self._url = f"{url}/ws/{session_id}"
        self._name = name
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._elements: pycrdt.Map[Any] = self._doc.get("elements", type=pycrdt.Map)
        self._lost_at: float | None = None
        self._drawn: list[str] = []
        self._gaps_ms: list[float] = []

    def report(self) -> Report:
        """Tell what it sees."""
        return Report(set(self._drawn), [set(self._elements.keys())], self._gaps_ms)

    async def draw(self, every_seconds: float) -> None:
        """Draw until cancelled."""
        while True:
            element_id = f"{self._name}-{len(self._drawn)}"
            self._drawn.append(element_id)
            self._elements[element_id] = {"type": "pen", "by": self._name}
            await asyncio.sleep(every_seconds)

    async def stay(self) -> None:
        """Stay connected until cancelled."""
        async with httpx.AsyncClient() as http:
            while True:
                with contextlib.suppress(Exception):
                    await self._connect(http)
                if self._lost_at is None:
                    self._lost_at = time.monotonic()
                await asyncio.sleep(RETURN_SECONDS)

    async def _connect(self, http: httpx.AsyncClient) -> None:
        websocket: AsyncWebSocketSession
        async with aconnect_ws(self._url, http, keepalive_ping_interval_seconds=None) as websocket:
            channel = _Watched(websocket, self._url)
            provider = pycrdt.Provider(self._doc, channel)
            task = asyncio.create_task(provider.start())
            try:
                await provider.synced.wait()
                if self._lost_at is not None:
                    self._gaps_ms.append((time.monotonic() - self._lost_at) * 1000)
                    self._lost_at = None
                await channel.gone.wait()
                self._lost_at = time.monotonic()
            finally:
                task.cancel()
                with contextlib.suppress(BaseException):
                    await task


class OwnDrawer:
    """Our own client, drawing the same things."""

    def __init__(self, client: SessionClient) -> None:
        self.client = client
        self._drawn: list[str] = []

    def report(self) -> Report:
        """Tell what it sees."""
        return Report(set(self._drawn), [set(self.client.elements)])

    async def draw(self, every_seconds: float) -> None:
        """Draw until cancelled."""
        while True:
            element_id = f"{self.client.client_id}-{len(self._drawn)}"
            self._drawn.append(element_id)
            self.client.draw(element_id, {"type": "pen"})
            await asyncio.sleep(every_seconds)


@dataclass(frozen=True)
class Crowd:
    """How many of each kind draw together, and how often each of them."""

    stock: int
    pycrdt: int
    own: int
    every_seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of it, once everything had settled."""

    drawn: set[str]
    documents: list[set[str]]
    stock_gaps_ms: list[float]
    pycrdt_gaps_ms: list[float]

    @property
    def lost(self) -> int:
        """How many edits are missing somewhere."""
        return sum(len(self.drawn - document) for document in self.documents)


async def draw_together(
    url: str, session_id: str, crowd: Crowd, act: Callable[[], Awaitable[None]]
) -> Outcome:
    """Let a crowd draw in one session while `act` runs; then wait until all see the same."""
    ws_url = url.replace("http", "ws", 1)
    guests = [PycrdtDrawer(ws_url, session_id, f"p{number}") for number in range(crowd.pycrdt)]
    owns = [OwnDrawer(SessionClient(ws_url, session_id)) for _ in range(crowd.own)]
    drawers: list[PycrdtDrawer | OwnDrawer] = [*guests, *owns]
    async with YWebsockets.run(ws_url, session_id, crowd.stock, crowd.every_seconds) as stock:
        staying = [asyncio.create_task(guest.stay()) for guest in guests]
        drawing = [asyncio.create_task(one.draw(crowd.every_seconds)) for one in drawers]
        for own in owns:
            own.client.start()
        try:
            await act()
            await stock.stop()
            await _cancel(drawing)
            return await _settle(stock, drawers)
        finally:
            await _cancel([*drawing, *staying])
            for own in owns:
                await own.client.aclose()


async def _settle(
    stock: YWebsockets, drawers: list[PycrdtDrawer | OwnDrawer], seconds: float = 20.0
) -> Outcome:
    deadline = time.monotonic() + seconds
    while True:
        theirs = await stock.report()
        others = [one.report() for one in drawers]
        outcome = Outcome(
            theirs.drawn.union(*(one.drawn for one in others)),
            [*theirs.documents, *(document for one in others for document in one.documents)],
            theirs.gaps_ms,
            [gap for one in others for gap in one.gaps_ms],
        )
        if outcome.lost == 0 or time.monotonic() > deadline:
            return outcome
        await asyncio.sleep(0.1)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
