"""A connection that has ended is freed at once: a full garbage collection would stop all others."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect

from isshoni.backend.context import BackendContext
from isshoni.backend.live.chat_intake import ChatIntake
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.reader import Reader
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.process.lean_protocol import LeanProtocol
from isshoni.backend.process.request_heads import BoundedHttp
from isshoni.backend.process.server import _make_server
from isshoni.backend.process.web_socket import WebSocket
from isshoni.session.sync import make_step1
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS

OF_A_CONNECTION = (
    *(BoundedHttp, LeanProtocol, WebSocket, Connection, Reader, ChatIntake, SendQueue),
)


def count_alive() -> Counter[str]:
    """Count the objects of connections, garbage included."""
    found = (it for it in gc.get_objects() if isinstance(it, OF_A_CONNECTION))
    return Counter(type(it).__name__ for it in found)


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Serve WebSockets, and an answer to every request, as the backend does."""
    manager = WebSocketManager(BackendContext(SETTINGS, FakeSessionStore(FakeServer())))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await manager.serve("s", scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})

    server = _make_server(app, SETTINGS, lambda status, reason, peer: None)  # type: ignore[arg-type]
    server.config.port = 0
    running = asyncio.create_task(server.serve())
    await wait_until(lambda: server.started, "the server is started")
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    await running


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_connection_that_has_ended_leaves_no_object_behind(says_goodbye: bool) -> None:
    async with serving() as address:
        before = count_alive()
        async with connect(f"ws://{address}/ws/s", compression=None) as socket:
            restore = {"type": "restore_session", "session_id": "s", "can": ["canvas", "migrate"]}
            await socket.send(json.dumps(restore))
            await socket.send(make_step1_of_nothing())
            await socket.send(json.dumps({"type": "chat", "n": 1, "text": "hello"}))
            acked = False
            while not acked:
                frame = await asyncio.wait_for(socket.recv(), 30)
                acked = isinstance(frame, str) and frame.startswith('{"type":"ack"')
            assert count_alive()["Connection"] == before["Connection"] + 1
            if not says_goodbye:
                socket.transport.abort()
        await wait_until(lambda: not count_alive() - before, "all is freed")


@pytest.mark.usefixtures("no_collection")
async def test_request_that_is_answered_leaves_no_object_behind() -> None:
    async with serving() as address:
        before = count_alive()
        for _ in range(3):
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://{address}/")).text == "well"
        await wait_until(lambda: not count_alive() - before, "all is freed")


def make_step1_of_nothing() -> bytes:
    import pycrdt

    return make_step1(pycrdt.Doc())
