"""A process of plain WebSocket clients: the library `websockets`, which reconnects by itself."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from isshoni.verify.attribution import ProbeOutcome
from isshoni.verify.stock.ids import find_ids, make_id
from isshoni.verify.stock.orders import ClientPlan, Order, Plan
from isshoni.verify.stock.settings import ID

FLUSH_SECONDS = 0.02
MAX_FRAME = 4096
"""Of a longer frame only the ids are reported."""
MAX_SAMPLES = 20
MAX_LINE_BYTES = 64 << 20


class Reports:
    """Writes what happens to stdout, several events a line."""

    def __init__(self) -> None:
        self._events: list[list[Any]] = []

    def add(self, *event: Any) -> None:
        """Add an event to the next line."""
        self._events.append(list(event))

    def flush(self) -> None:
        """Write the events that were added."""
        if self._events:
            sys.stdout.buffer.write(msgspec.json.encode(self._events) + b"\n")
            sys.stdout.buffer.flush()
            self._events.clear()


class PlainClient:
    """One client: it joins on each connection, reads everything, and sends when it can."""

    def __init__(self, plan: ClientPlan, run: str, reports: Reports) -> None:
        self.number = plan.number
        self._plan = plan
        self._run = run
        self._reports = reports
        self._socket: ClientConnection | None = None
        self._is_final: Callable[[Exception], Exception | None] = lambda fault: fault
        self._sent = 0
        self._samples = 0

    async def live(self) -> None:
        """Stay connected: the library reconnects by itself."""
        # As a browser does: many frameworks refuse a handshake without an origin.
        attempts = connect(self._plan.url, max_size=None, origin=origin_of(self._plan.url))
        self._is_final = attempts.process_exception
        attempts.process_exception = self._record_failure
        try:
            async for socket in attempts:
                with contextlib.suppress(ConnectionClosed):
                    for join in self._plan.joins:
                        await socket.send(join)
                    self._open(socket)
                    async for frame in socket:
                        self._record_frame(frame)
                self._close(socket)
        except Exception as fault:  # The library gives up: this client stays away.
            self._reports.add(
                "trouble",
                f"stock-{self.number} does not connect again, as its library takes this for "
                f"final: {describe(fault)}.",
            )

    async def talk(self, every_seconds: float, first_after: float) -> None:
        """Send a message at regular times while connected, until cancelled."""
        await asyncio.sleep(first_after)
        following = time.monotonic()
        while True:
            if self._socket is not None:
                await self._send_next(self._socket)
            following += every_seconds
            await asyncio.sleep(max(0.0, following - time.monotonic()))

    async def send(self, message_id: str) -> None:
        """Send one message; raises `ConnectionClosed`."""
        if self._socket is not None:
            await self._socket.send(self._plan.message.replace(ID, message_id))

    async def _send_next(self, socket: ClientConnection) -> None:
        self._sent += 1
        text = self._plan.message.replace(ID, make_id(self._run, self.number, self._sent))
        self._reports.add("sent", self.number, time.monotonic(), self._sent)
        try:
            await socket.send(text)
        except ConnectionClosed:
            self._reports.add("refused", self.number)
        else:
            self._reports.add("taken", self.number, self._sent)

    def _open(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._reports.add("opened", self.number, time.monotonic())

    def _close(self, socket: ClientConnection) -> None:
        self._socket = None
        reason = socket.close_reason or ""
        self._reports.add("closed", self.number, time.monotonic(), socket.close_code, reason)

    def _record_frame(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        found = find_ids(self._run, text)
        if not found and self._samples >= MAX_SAMPLES:
            return
        self._samples += not found
        if len(text) > MAX_FRAME:
            text = " ".join(one.text for one in found) or text[:MAX_FRAME]
        self._reports.add("frame", self.number, time.monotonic(), text)

    def _record_failure(self, fault: Exception) -> Exception | None:
        outcome = ProbeOutcome.REFUSED if isinstance(fault, OSError) else ProbeOutcome.TURNED_AWAY
        self._reports.add("failed", self.number, time.monotonic(), outcome.name, describe(fault))
        return self._is_final(fault)


def origin_of(url: str) -> Origin:
    """Return the origin of a page that was loaded from the same host."""
    parts = urlsplit(url)
    return Origin(f"{parts.scheme.replace('ws', 'http', 1)}://{parts.netloc.rpartition('@')[2]}")


def describe(fault: Exception) -> str:
    """Return in words why a connection could not be made."""
    if isinstance(fault, InvalidStatus):
        return f"HTTP status {fault.response.status_code}"
    return str(fault) or type(fault).__name__


class PlainClients:
    """All clients of this process."""

    def __init__(self, plan: Plan, reports: Reports) -> None:
        self._plan = plan
        self._reports = reports
        self._clients = {one.number: PlainClient(one, plan.run, reports) for one in plan.clients}
        self._living: list[asyncio.Task[None]] = []
        self._talking: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Start all clients at a limited pace."""
        for client in self._clients.values():
            self._living.append(asyncio.create_task(client.live()))
            await asyncio.sleep(1 / self._plan.connects_per_second)

    async def obey(self, order: Order) -> None:
        """Carry out an order of the run."""
        if order.do == "trial" and order.client is not None and order.id is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._clients[order.client].send(order.id)
        elif order.do == "talk":
            every = self._plan.every_seconds
            self._talking = [
                asyncio.create_task(client.talk(every, place * every / len(self._clients)))
                for place, client in enumerate(self._clients.values())
            ]
        elif order.do == "stop":
            for task in self._talking:
                task.cancel()
        elif order.do == "read":
            self._reports.add("read")

    async def aclose(self) -> None:
        """End all clients."""
        for task in (*self._talking, *self._living):
            task.cancel()
        await asyncio.gather(*self._living, *self._talking, return_exceptions=True)


async def work() -> None:
    """Run the clients of the plan on stdin until stdin ends."""
    reader = await _open_stdin()
    plan = msgspec.json.decode(await reader.readline(), type=Plan)
    reports = Reports()
    reports.add("started")
    clients = PlainClients(plan, reports)
    flushing = asyncio.create_task(_flush(reports))
    connecting = asyncio.create_task(clients.connect())
    try:
        while line := await reader.readline():
            await clients.obey(msgspec.json.decode(line, type=Order))
    finally:
        connecting.cancel()
        flushing.cancel()
        await clients.aclose()
        reports.flush()


async def _flush(reports: Reports) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        reports.flush()


async def _open_stdin() -> asyncio.StreamReader:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    return reader


def main() -> None:
    """Work until the run closes the stream."""
    # Ctrl-C reaches all processes of the terminal: the run decides, and closes the stream.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        uvloop.run(work())


if __name__ == "__main__":
    main()
