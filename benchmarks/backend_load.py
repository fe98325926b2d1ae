"""Load one backend process: fan-out, memory per idle connection, restores.

    scripts/bench backend_load [fanout|batch|latency|idle|restore]

Starts its own Valkey and backend on free ports. Everything shares the machine, so each
figure is given twice: by the clock, and per second of CPU that the backend spent.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pycrdt
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

from isshoni.backend.store.redis.store import RedisStore

WINDOW = 16
"""Messages that a sender may have unacknowledged."""


class LeanClient(asyncio.Protocol):
    """A WebSocket client that costs little: it counts frames by their headers."""

    def __init__(self, session_id: str, client_id: str, can: Sequence[str]) -> None:
        self._can = can
        self._session_id = session_id
        self._client_id = client_id
        self._buffer = bytearray()
        self._open = False
        self.chats = self.acks = self.sent = self.restored_bytes = 0
        self._restored = asyncio.Event()
        self.sending = self.watches = False
        self.latencies: list[float] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(
            f"GET /ws/{self._session_id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self._buffer[: end + 4]
            self._open = True
            self.restore()
        self._count_frames()

    def _count_frames(self) -> None:
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if len(buffer) - at < head + size:
                break
            kind = buffer[at + head + 9 : at + head + 10]
            if kind == b"c":
                self.chats += 1
                if self.watches:
                    self._measure(bytes(buffer[at + head : at + head + size]))
            elif kind == b"e":
                self.chats += buffer.count(b'{"type":"chat"', at + head, at + head + size)
            elif kind == b"a":
                self.acks += 1
                if self.sending:
                    self.send_chat()
            elif kind == b"s":
                self.restored_bytes = size
                self._restored.set()
            at += head + size
        del buffer[:at]

    def restore(self) -> None:
        self._send(
            {
                "type": "restore_session",
                "session_id": self._session_id,
                "client_id": self._client_id,
                "can": self._can,
            }
        )

    async def wait_for_restore(self) -> None:
        """Wait for the next `session_restored`."""
        await self._restored.wait()
        self._restored.clear()

    def send_chat(self, text: str = "x" * 60) -> None:
        self.sent += 1
        self._send({"type": "chat", "n": self.sent, "text": text})

    def _measure(self, event: bytes) -> None:
        sent_at = event[event.index(b'"text":"') + 8 :]
        self.latencies.append(time.monotonic() - float(sent_at[: sent_at.index(b'"')]))

    def _send(self, message: dict[str, object]) -> None:
        payload = json.dumps(message, separators=(",", ":")).encode()
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        # A mask of zeros leaves the payload as it is.
        self.transport.write(b"\x81" + length + b"\0\0\0\0" + payload)


async def open_clients(
    backend: BackendProcess, sessions: list[str], can: Sequence[str] = ("canvas",)
) -> list[LeanClient]:
    """Open one restored client for each name in `sessions`."""
    loop = asyncio.get_running_loop()
    clients = []
    for number, session_id in enumerate(sessions):
        make = partial(LeanClient, session_id, f"c{number}", can)
        _, made = await loop.create_connection(make, "127.0.0.1", backend.port)
        clients.append(made)
    await asyncio.gather(*(client.wait_for_restore() for client in clients))
    return clients


async def measure_fanout(
    backend: BackendProcess,
    rooms: int,
    size: int,
    seconds: float = 5.0,
    can: Sequence[str] = ("canvas",),
) -> None:
    """Measure chat through Redis: one sender a room, every client gets it."""
    sessions = [f"room{size}-{len(can)}-{room}" for room in range(rooms) for _ in range(size)]
    clients = await open_clients(backend, sessions, can)
    process = psutil.Process(backend.process.pid)
    for client in clients[::size]:
        client.send_chat()
    await asyncio.sleep(0.3)
    for client in clients[::size]:
        client.sending = True
        for _ in range(WINDOW):
            client.send_chat()
    await asyncio.sleep(1)
    before = (time.monotonic(), sum(process.cpu_times()[:2]), _totals(clients))
    await asyncio.sleep(seconds)
    after = (time.monotonic(), sum(process.cpu_times()[:2]), _totals(clients))
    clock, cpu = after[0] - before[0], after[1] - before[1]
    messages, deliveries = (after[2][i] - before[2][i] for i in (0, 1))
    print(
        f"rooms of {size}, can {' '.join(can)}: {messages / clock:,.0f} msg/s, "
        f"{deliveries / clock:,.0f} deliveries/s; "
        f"per CPU second {messages / cpu:,.0f} msg, {deliveries / cpu:,.0f} deliveries "
        f"(backend CPU {cpu / clock:.0%})"
    )
    for client in clients:
        client.transport.abort()


async def measure_latency(
    backend: BackendProcess, rate: int = 1000, rooms: int = 20, size: int = 10, seconds: float = 8.0
) -> None:
    """Measure the time from sending a message to its delivery, at a fixed rate."""
    clients = await open_clients(backend, [f"late{r}" for r in range(rooms) for _ in range(size)])
    senders = clients[::size]
    for client in senders:
        client.send_chat(str(time.monotonic()))
    await asyncio.sleep(1)
    for client in clients:
        client.watches = True
    start = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        senders[number % rooms].send_chat(str(time.monotonic()))
    await asyncio.sleep(1)
    latencies = sorted(latency for client in clients for latency in client.latencies)
    p50, p99 = (latencies[int(len(latencies) * part)] * 1000 for part in (0.5, 0.99))
    print(
        f"latency at {rate} msg/s, rooms of {size}: {len(latencies):,} deliveries, "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    )
    for client in clients:
        client.transport.abort()


def _totals(clients: list[LeanClient]) -> tuple[int, int]:
    return sum(c.acks for c in clients), sum(c.chats for c in clients)


async def measure_idle(backend: BackendProcess, count: int = 2000) -> None:
    """Measure memory of connections that restored and are silent, ten a session."""
    process = psutil.Process(backend.process.pid)
    warm = await open_clients(backend, ["warm"] * 50)
    before = process.memory_info().rss
    clients = await open_clients(backend, [f"idle{i // 10}" for i in range(count)])
    await asyncio.sleep(1)
    used = process.memory_info().rss - before
    print(f"idle: {used / count / 1000:.1f} kB a connection ({count} connections)")
    for client in warm + clients:
        client.transport.abort()


async def draw_elements(redis_url: str, session_id: str, count: int) -> None:
    """Draw `count` elements on a session's canvas."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    for number in range(count):
        element = {"id": f"e{number}", "type": "rectangle", "x": number, "y": 2, "width": 50}
        elements[f"e{number}"] = element
    store = RedisStore(redis_url)
    await store.start()
    await store.append_canvas(session_id, doc.get_update())
    await store.aclose()


async def measure_restores(
    backend: BackendProcess, redis_url: str, *, canvas: bool, seconds: float = 4.0
) -> None:
    """Measure restores of a warm session with 200 messages, 1,000 elements as JSON or not."""
    session_id = f"restored-{canvas}"
    await draw_elements(redis_url, session_id, 1000)
    clients = await open_clients(backend, [session_id] * 20, can=[] if canvas else ["canvas"])
    for _ in range(200):
        clients[0].send_chat()
        await asyncio.sleep(0.002)
    process = psutil.Process(backend.process.pid)
    latencies: list[float] = []

    async def restore_on(client: LeanClient) -> None:
        while time.monotonic() - start < seconds:
            began = time.monotonic()
            client.restore()
            await client.wait_for_restore()
            latencies.append(time.monotonic() - began)

    start = time.monotonic()
    await restore_on(clients[0])
    alone = sorted(latencies)
    latencies.clear()
    start, cpu = time.monotonic(), sum(process.cpu_times()[:2])
    await asyncio.gather(*(restore_on(client) for client in clients))
    total, clock = len(latencies), time.monotonic() - start
    cpu = sum(process.cpu_times()[:2]) - cpu
    latencies.sort()
    print(
        f"restores of {clients[0].restored_bytes / 1000:.0f} kB (1,000 elements as JSON: {canvas}):"
        f" {total / clock:,.0f}/s, {total / cpu:,.0f} per CPU second;"
        f" p99 {alone[int(len(alone) * 0.99)] * 1000:.1f} ms one at a time,"
        f" {latencies[int(total * 0.99)] * 1000:.1f} ms with 20 always under way"
    )
    for client in clients:
        client.transport.abort()


async def main(which: list[str]) -> None:
    """Run the measurements asked for, or all."""
    with tempfile.TemporaryDirectory() as directory:
        with ValkeyServer(Path(directory) / "valkey", fsync="everysec") as valkey:
            with BackendProcess(valkey.url, Path(directory) / "log") as backend:
                backend.wait_until_ready()
                if not which or "idle" in which:
                    await measure_idle(backend)
                if not which or "restore" in which:
                    await measure_restores(backend, valkey.url, canvas=False)
                    await measure_restores(backend, valkey.url, canvas=True)
                if not which or "fanout" in which:
                    await measure_fanout(backend, rooms=20, size=10)
                    await measure_fanout(backend, rooms=3, size=100)
                if not which or "batch" in which:
                    can = ("canvas", "batch")
                    await measure_fanout(backend, rooms=20, size=10, can=can)
                    await measure_fanout(backend, rooms=3, size=100, can=can)
                if not which or "latency" in which:
                    await measure_latency(backend)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
