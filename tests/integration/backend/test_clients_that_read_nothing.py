"""What one address can make a process keep by reading nothing, whatever it asks for."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pycrdt
import pytest

from isshoni.backend.store.redis.store import RedisStore
from isshoni.session.sync import make_step1
from tests.support.backend import BackendProcess, RawClient
from tests.support.valkey import ValkeyServer

CONNECTIONS = 60
MOST_BYTES = 64 << 20


@pytest.fixture
def behind_a_proxy(valkey: ValkeyServer, tmp_path: Path) -> Iterator[BackendProcess]:
    with BackendProcess(valkey.url, tmp_path / "log", ISSHONI_TRUSTED_PROXIES="1") as process:
        process.wait_until_ready()
        yield process


async def _store_canvas(valkey: ValkeyServer, session_id: str) -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    with doc.transaction():
        for number in range(800):
            elements[f"{number}"] = "x" * 10_000
    store = RedisStore(valkey.url)
    await store.start()
    await store.append_canvas(session_id, doc.get_update())
    await store.aclose()


def _frame(first: int, payload: bytes, announced: int | None = None) -> bytes:
    """Return a masked frame; it may announce more bytes than follow."""
    size = len(payload) if announced is None else announced
    return bytes((first, 0xFF)) + size.to_bytes(8, "big") + bytes(4) + payload


def _open(backend: BackendProcess, session_id: str) -> socket.socket:
    """Open a WebSocket, and read nothing after the handshake."""
    opened = socket.create_connection(("127.0.0.1", backend.port))
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.sendall(
        f"GET /ws/{session_id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "X-Forwarded-For: 203.0.113.9\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    opened.recv(64)
    return opened


async def _read_all(reader: RawClient) -> None:
    """Read the whole canvas, as JSON and as Yjs: the process has both from then on."""
    read = 0
    while read < 16_000_000:
        read += len(await reader.connection.recv())


async def _grown_bytes(backend: BackendProcess, before: int) -> int:
    await asyncio.sleep(2)
    rss: int = psutil.Process(backend.process.pid).memory_info().rss
    return rss - before


@pytest.mark.spec("D4")
async def test_whole_canvases_that_one_address_does_not_read_are_not_kept_for_it(
    behind_a_proxy: BackendProcess, valkey: ValkeyServer, session_id: str
) -> None:
    await _store_canvas(valkey, session_id)
    reader = await behind_a_proxy.connect(session_id, max_size=None)
    await reader.connection.send(json.dumps({"type": "restore_session", "session_id": session_id}))
    await reader.connection.send(make_step1(pycrdt.Doc()))
    await _read_all(reader)
    before = psutil.Process(behind_a_proxy.process.pid).memory_info().rss
    sockets = [_open(behind_a_proxy, session_id) for _ in range(CONNECTIONS)]
    ask = {"type": "restore_session", "session_id": session_id}
    for number, one in enumerate(sockets):
        if number % 2:
            one.sendall(_frame(0x81, json.dumps(ask).encode()))
        one.sendall(_frame(0x82, make_step1(pycrdt.Doc())))
    assert await _grown_bytes(behind_a_proxy, before) < MOST_BYTES
    await reader.close()
    for one in sockets:
        one.close()


@pytest.mark.spec("D4")
async def test_starts_of_large_frames_of_one_address_are_bounded_together(
    behind_a_proxy: BackendProcess, session_id: str
) -> None:
    before = psutil.Process(behind_a_proxy.process.pid).memory_info().rss
    sockets = [_open(behind_a_proxy, session_id) for _ in range(CONNECTIONS)]
    for one in sockets:
        one.setblocking(False)
        start = memoryview(_frame(0x82, bytes(3_900_000), announced=4_000_000))
        for _ in range(200):
            try:
                start = start[one.send(start) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError:
                break  # closed: the address has too much
    assert await _grown_bytes(behind_a_proxy, before) < MOST_BYTES
    for one in sockets:
        one.close()
