"""Clients and programs that send given bytes and keep what they get."""

import asyncio
import base64
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Iterable

import websockets

from tests.integration.relay.conftest import COLOURS
from tests.integration.relay.raw_frames import CLOSE, PING, PONG, Found, frame, split_frames

SILENCE_SECONDS = 1.0
"""An end that says nothing for so long will say no more."""
_PROBE = re.compile(rb"isshoni-probe-[0-9a-f]{8}-\d+")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REQUEST = (
    "GET {} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class RawClient:
    """A client's socket after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.got = bytearray()
        self.has_ended = False

    async def send(self, data: bytes) -> None:
        """Send bytes; the other end may have closed."""
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def read_until(self, size: int) -> None:
        """Read until so many bytes have come, or the end."""
        while len(self.got) < size and await self._read(30.0):
            pass

    async def read_to_end(self, silence_seconds: float = SILENCE_SECONDS) -> bytes:
        """Read until the end, or silence; return all that came."""
        while await self._read(silence_seconds):
            pass
        return bytes(self.got)

    async def _read(self, seconds: float) -> bool:
        try:
            data = await asyncio.wait_for(self.reader.read(1 << 20), seconds)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.has_ended = not data
        self.got += data
        return bool(data)

    def leave(self) -> None:
        """Close the socket."""
        self.writer.close()


async def connect(port: int, path: str = "/") -> RawClient:
    """Open a WebSocket and return its raw socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(REQUEST.format(path).encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return RawClient(reader, writer)


class RawConnection:
    """A connection to a `RawProgram`."""

    def __init__(self, path: str, writer: asyncio.StreamWriter) -> None:
        self.path = path
        self.got = bytearray()
        self.has_ended = False
        self.writer = writer

    @property
    def frames(self) -> list[Found]:
        """Return the whole frames that came, the relay's own ping left out."""
        found, _ = split_frames(bytes(self.got))
        return [one for one in found if not _PROBE.fullmatch(one.payload)]


class RawProgram:
    """A program that answers pings and closes, keeps what it gets, and sends what it has to."""

    def __init__(self, *, answers: bool = True, closes: bool = True) -> None:
        self.connections: list[RawConnection] = []
        self.answers, self.closes = answers, closes
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(li for li in head.split(b"\r\n") if li.lower().startswith(b"sec-websocket-key"))
        digest = hashlib.sha1(key.split(b":")[1].strip() + _GUID).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        connection = RawConnection(head.split(b" ")[1].decode(), writer)
        self.connections.append(connection)
        with contextlib.suppress(OSError):
            await self._read(connection, reader)
        connection.has_ended = True
        writer.close()

    async def _read(self, connection: RawConnection, reader: asyncio.StreamReader) -> None:
        answered = 0
        while data := await reader.read(1 << 20):
            connection.got += data
            if b"\x89" not in data and b"\x88" not in data and answered:
                continue
            found, _ = split_frames(bytes(connection.got))
            for one in found[answered:]:
                if not self.answers:
                    continue
                if one.opcode == PING:
                    connection.writer.write(frame(PONG, one.payload, key=None))
                elif one.opcode == CLOSE and self.closes:
                    connection.writer.write(frame(CLOSE, one.payload, key=None))
                    return
            answered = len(found)

    async def send(self, path: str, parts: Iterable[bytes]) -> None:
        """Send parts to the newest client of a path, with a pause after each."""
        connection = self.connection(path)
        assert connection is not None
        for part in parts:
            connection.writer.write(part)
            await connection.writer.drain()
            await asyncio.sleep(0)

    def connection(self, path: str) -> RawConnection | None:
        """Return the newest connection for a path."""
        return next((one for one in reversed(self.connections) if one.path == path), None)


@contextlib.asynccontextmanager
async def run_raw_programs(
    *, answers: bool = True, closes: bool = True
) -> AsyncIterator[dict[str, RawProgram]]:
    """Serve a `RawProgram` for each colour."""
    programs = {colour: RawProgram(answers=answers, closes=closes) for colour in COLOURS}
    servers = []
    for program in programs.values():
        server = await asyncio.start_server(program.serve, "127.0.0.1", 0, limit=1 << 24)
        program.port = server.sockets[0].getsockname()[1]
        servers.append(server)
    yield programs
    for server in servers:
        server.close()
    for program in programs.values():
        for connection in program.connections:
            connection.writer.close()
    await asyncio.sleep(0.05)  # so that the sockets end


@contextlib.asynccontextmanager
async def run_echo_programs() -> AsyncIterator[dict[str, int]]:
    """Serve a strict WebSocket library's echo for each colour; yield the ports."""

    async def echo(socket: websockets.ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in socket:
                await socket.send(message)

    async with contextlib.AsyncExitStack() as stack:
        ports = {}
        for colour in COLOURS:
            server = await stack.enter_async_context(
                websockets.serve(
                    echo, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None
                )
            )
            ports[colour] = next(iter(server.sockets)).getsockname()[1]
        yield ports


async def send_parts(client: RawClient, parts: Iterable[bytes], pause_seconds: float) -> None:
    """Send parts with a pause after each, and keep reading."""
    for part in parts:
        await client.send(part)
        await asyncio.sleep(pause_seconds)
