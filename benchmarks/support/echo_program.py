"""A WebSocket program that costs little: it echoes, or floods a client that asks for `/flood`.

python -m benchmarks.support.echo_program PORT
"""

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

from isshoni.relay.core.frames import BINARY, CLOSE, PING, PONG, FrameCutter, make_frame
from isshoni.relay.core.handshake import END

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FLOOD = make_frame(BINARY, b"f" * 60_000)


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._is_open = self._floods = self._is_full = False
        self._cutter = FrameCutter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer the handshake, then each frame."""
        assert self._transport is not None
        if self._is_open:
            self._answer(data)
            return
        self._head += data
        if END not in self._head:
            return
        self._is_open = True
        lines = self._head.lower().split(b"\r\n")
        at = next(n for n, line in enumerate(lines) if line.startswith(b"sec-websocket-key:"))
        key = self._head.split(b"\r\n")[at].split(b":")[1].strip()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + END
        )
        self._floods = self._head.startswith(b"GET /flood")
        self._flood()

    def _answer(self, data: bytes) -> None:
        assert self._transport is not None
        answers = []
        for frame in self._cutter.cut(data)[1]:
            opcode = PONG if frame.opcode == PING else frame.opcode
            answers.append(make_frame(opcode, frame.payload))
            if opcode == CLOSE:
                self._transport.write(b"".join(answers))
                self._transport.close()
                return
        if answers:
            self._transport.write(b"".join(answers))

    def _flood(self) -> None:
        while self._floods and not self._is_full and self._transport is not None:
            self._transport.write(_FLOOD)

    def pause_writing(self) -> None:
        """Stop the flood."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Continue the flood."""
        self._is_full = False
        self._flood()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the flood."""
        self._floods = False


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
