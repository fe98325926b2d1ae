"""The lean wire against a real server: it opens, sends, receives and ends as a client's does."""

import asyncio
import http
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidURI
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from isshoni.client.settings import ClientSettings
from isshoni.client.wire import OpenWire, open_websocket
from isshoni.verify.lean_wire import HandshakeRefused, open_lean_wire

SETTINGS = ClientSettings(open_timeout_seconds=5.0, max_frame_bytes=200_000)
WIRES = pytest.mark.parametrize("open_wire", [open_websocket, open_lean_wire])
Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def _serve(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws/team?a=b"


async def _echo(socket: ServerConnection) -> None:
    assert socket.request is not None
    await socket.send(f"{socket.request.path} {socket.request.headers.get('Authorization')}")
    async for frame in socket:
        await socket.send(frame)


@WIRES
async def test_frames_come_back_as_they_were_sent(open_wire: OpenWire) -> None:
    sent: list[tuple[bytes, bool]] = [
        ("한글 🎨".encode(), True),
        (b"", False),
        (b"x" * 125, False),
        (b"y" * 126, True),
        (b"z" * 66_000, False),
    ]
    found: list[str | bytes] = []
    async with asyncio.timeout(30), _serve(_echo) as url:
        wire = await open_wire(url, "a-token", SETTINGS)
        for frame, is_text in sent:
            wire.send(frame, is_text=is_text)

        def handle(frame: str | bytes) -> None:
            found.append(frame)
            if len(found) == len(sent) + 1:
                wire.close()

        assert await wire.receive(handle) == 1000
        await wire.wait_sent()
    expected = [frame.decode() if is_text else frame for frame, is_text in sent]
    assert found == ["/ws/team?a=b Bearer a-token", *expected]


def test_it_works_on_the_event_loop_that_verify_uses() -> None:
    uvloop.run(test_frames_come_back_as_they_were_sent(open_lean_wire))


async def _close_for_restart(socket: ServerConnection) -> None:
    await socket.send("last")
    await socket.close(1012)


async def _cut(socket: ServerConnection) -> None:
    await socket.send("last")
    socket.transport.abort()


async def _send_too_much(socket: ServerConnection) -> None:
    await socket.send("last")
    await socket.send(bytes(300_000))
    await socket.wait_closed()


@WIRES
@pytest.mark.parametrize(
    ("handler", "code"), [(_close_for_restart, 1012), (_cut, 1006), (_send_too_much, 1009)]
)
async def test_the_end_has_the_code_that_a_client_goes_by(
    open_wire: OpenWire, handler: Handler, code: int
) -> None:
    found: list[str | bytes] = []
    async with asyncio.timeout(30), _serve(handler) as url:
        wire = await open_wire(url, None, SETTINGS)
        assert await wire.receive(found.append) == code
        await wire.wait_sent()
    assert found in (["last"], []) if code == 1006 else found == ["last"]


@WIRES
async def test_a_server_that_never_answers_a_close_is_cut_off(open_wire: OpenWire) -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
        )
        await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    async with asyncio.timeout(30), server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        wire = await open_wire(url, None, ClientSettings(close_timeout_seconds=0.1))
        wire.close()
        assert await wire.receive(lambda frame: None) == 1006
        await wire.wait_sent()


async def test_an_answer_that_is_no_websocket_is_refused() -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "busy\n")

    async with serve(_echo, "127.0.0.1", 0, process_request=refuse) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(HandshakeRefused, match="503"):
            await open_lean_wire(url, None, SETTINGS)


async def test_a_server_that_closes_during_the_handshake_is_refused() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(HandshakeRefused, match="during the handshake"):
            await open_lean_wire(url, None, SETTINGS)


async def test_an_address_that_is_no_websocket_is_refused() -> None:
    with pytest.raises(InvalidURI):
        await open_lean_wire("http://127.0.0.1:1/", None, SETTINGS)


async def test_text_that_is_not_unicode_ends_the_connection() -> None:
    async def send_nonsense(socket: ServerConnection) -> None:
        socket.transport.write(b"\x81\x02\xff\xfe")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            codes.append(closed.rcvd.code)

    codes: list[int] = []
    async with asyncio.timeout(30), _serve(send_nonsense) as url:
        wire = await open_lean_wire(url, None, SETTINGS)
        assert await wire.receive(lambda frame: None) == 1007
    assert codes == [1007]
