"""A WebSocket client that costs little: no task, queue or lock for each frame.

It is for synthetic users, of which one process has thousands. It checks what the protocol
forbids and a server could get wrong; it has no compression, no proxies and no redirects.
"""

import asyncio
import base64
import os
import random
import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

from websockets.exceptions import InvalidURI
from websockets.frames import apply_mask  # type: ignore[attr-defined]
from websockets.utils import accept_key

from isshoni.client.settings import ClientSettings
from isshoni.client.wire import ABNORMAL, HandleFrame
from isshoni.session.close_codes import CloseCode

_NO_CODE = 1005
_PROTOCOL_ERROR = 1002
_INVALID_TEXT = 1007
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_MAX_HEAD_BYTES = 64 << 10


class HandshakeRefused(ConnectionError):
    """The server did not answer the handshake with a WebSocket."""


class BrokenFrame(Exception):
    """The server sent what RFC 6455 forbids, or too much; `code` is what to close with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


async def open_lean_wire(url: str, token: str | None, settings: ClientSettings) -> "LeanWire":
    """Open a WebSocket; raises OSError, TimeoutError or InvalidURI."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise InvalidURI(url, "it must begin with ws:// or wss://")
    tls = _make_tls() if parts.scheme == "wss" else None
    port = parts.port or (443 if tls else 80)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(settings.open_timeout_seconds):
        _, wire = await loop.create_connection(
            lambda: LeanWire(settings), parts.hostname, port, ssl=tls
        )
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            await wire.shake_hands(path, parts.netloc.rpartition("@")[2], token)
        except BaseException:
            wire.abort()
            raise
    return wire


@lru_cache(maxsize=1)
def _make_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class LeanWire(asyncio.Protocol):
    """One WebSocket: frames are parsed where they are read, and handled at once."""

    def __init__(self, settings: ClientSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_frame_bytes = settings.max_frame_bytes
        self._close_seconds = settings.close_timeout_seconds
        self._transport: asyncio.Transport
        self._frames = FrameReader(settings.max_frame_bytes)
        self._head: bytearray | None = bytearray()
        """The answer to the handshake so far; None once it is complete."""
        self._opened: asyncio.Future[bytes] = self._loop.create_future()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._close_code: int | None = None
        self._close_sent = False
        self._handle: HandleFrame | None = None
        self._early: list[str | bytes] = []
        """Frames that came before `receive`."""
        self._timer: asyncio.TimerHandle | None = None

    async def shake_hands(self, path: str, host: str, token: str | None) -> None:
        """Send the request of the handshake, and check the answer."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *([f"Authorization: Bearer {token}"] if token else []),
        ]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        status, *headers = (await self._opened).decode("latin-1").split("\r\n")
        found = {
            name.strip().lower(): value.strip()
            for name, _, value in (header.partition(":") for header in headers)
        }
        if status.split(" ")[1:2] != ["101"]:
            raise HandshakeRefused(f"the answer to the handshake is {status!r:.100}")
        if found.get("sec-websocket-accept") != accept_key(key):
            raise HandshakeRefused("the answer to the handshake has another key")

    # What the connection does with it (`Wire`).

    def send(self, frame: bytes, *, is_text: bool) -> None:
        """Send a frame; text is UTF-8."""
        if not self._close_sent:
            self._write(_TEXT if is_text else _BINARY, frame)

    def close(self) -> None:
        """Close with 1000; frames still arrive until the answer."""
        self._send_close(CloseCode.NORMAL)

    def abort(self) -> None:
        """End at once, without a close frame."""
        self._transport.abort()

    async def receive(self, handle: HandleFrame) -> int:
        """Call `handle` with each frame until the end; return the close code."""
        self._handle = handle
        for frame in self._early:
            handle(frame)
        self._early.clear()
        return await self._ended

    async def wait_sent(self) -> None:
        """Return at once: nothing is sent after the end."""

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Handle the frames that are complete."""
        if self._close_code is not None:
            return  # The server closed, or broke the protocol: what follows means nothing.
        if self._head is not None:
            data = self._read_head(data)
            if not data:
                return
        try:
            for opcode, payload in self._frames.read(data):
                self._take_frame(opcode, payload)
        except BrokenFrame as fault:
            self._close_code = fault.code
            self._send_close(fault.code)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._opened.done():
            self._opened.set_exception(HandshakeRefused("closed during the handshake"))
        if not self._ended.done():
            self._ended.set_result(self._close_code or ABNORMAL)

    def _read_head(self, data: bytes) -> bytes:
        """Read the answer to the handshake; return what follows it."""
        assert self._head is not None
        self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            if len(head) > _MAX_HEAD_BYTES:
                self._transport.abort()
            return b""
        self._head = None
        if not self._opened.done():
            self._opened.set_result(head)
        return rest

    def _take_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == _BINARY:
            self._pass_on(payload)
        elif opcode == _TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise BrokenFrame(_INVALID_TEXT) from None
            self._pass_on(text)
        elif opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _CLOSE and self._close_code is None:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_CODE
            self._close_code = code
            self._send_close(CloseCode.NORMAL if code == _NO_CODE else code)

    def _pass_on(self, frame: str | bytes) -> None:
        if self._close_code is not None:
            return
        if self._handle is None:
            self._early.append(frame)
        else:
            self._handle(frame)

    def _send_close(self, code: int) -> None:
        """Send a close frame once; the server then closes, or is cut off after a while."""
        if not self._close_sent:
            self._write(_CLOSE, code.to_bytes(2, "big"))
            self._close_sent = True
            self._timer = self._loop.call_later(self._close_seconds, self._transport.abort)

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._transport.is_closing():
            return
        size = len(payload)
        if size < 126:
            head = bytes((0x80 | opcode, 0x80 | size))
        elif size < 1 << 16:
            head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
        mask = random.getrandbits(32).to_bytes(4, "big")
        self._transport.write(head + mask + apply_mask(payload, mask))


class FrameReader:
    """Cuts what a server sends into messages; fragments are joined."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: list[bytes] = []
        """The beginning of a frame that is not complete."""
        self._kept_bytes = 0
        self._needed_bytes = 0
        self._fragments: list[bytes] = []
        self._opcode = 0
        """Of the message that the fragments are of; 0 if there is none."""

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the messages and control frames that `data` completes, as (opcode, payload)."""
        if self._kept:
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._needed_bytes:
                return
            data = b"".join(self._kept)
            self._kept.clear()
        at, size = 0, len(data)
        while at < size:
            first = data[at]
            start, length = self._read_length(data, at, size)
            end = start + length
            if end > size:
                self._keep(data[at:], end - at)
                break
            payload, at = data[start:end], end
            if first in (0x81, 0x82) and not self._opcode:
                yield first & 0x0F, payload
            elif (message := self._read_other(first, payload)) is not None:
                yield message

    def _keep(self, data: bytes, needed_bytes: int) -> None:
        self._kept.append(data)
        self._kept_bytes, self._needed_bytes = len(data), needed_bytes

    def _read_length(self, data: bytes, at: int, size: int) -> tuple[int, int]:
        """Return where the payload begins and its length, or more than there is."""
        if size - at < 2:
            return at + 2, 0
        length = data[at + 1]
        if length < 126:
            return at + 2, length
        if length & 0x80:
            raise BrokenFrame(_PROTOCOL_ERROR)  # A server must not mask.
        start = at + (4 if length == 126 else 10)
        if start > size:
            return start, 0
        length = int.from_bytes(data[at + 2 : start], "big")
        if length > self._max_bytes:
            raise BrokenFrame(CloseCode.TOO_BIG)
        return start, length

    def _read_other(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        """Read a control frame, or a fragment; None if a message needs more of them."""
        opcode, is_last = first & 0x0F, bool(first & 0x80)
        if first & 0x70 or opcode not in (0, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise BrokenFrame(_PROTOCOL_ERROR)
        if opcode >= _CLOSE:
            if not is_last or len(payload) > 125:
                raise BrokenFrame(_PROTOCOL_ERROR)
            return opcode, payload
        if bool(opcode) == bool(self._opcode):
            raise BrokenFrame(_PROTOCOL_ERROR)  # A fragment of nothing, or a message in another.
        self._opcode = self._opcode or opcode
        self._fragments.append(payload)
        if sum(map(len, self._fragments)) > self._max_bytes:
            raise BrokenFrame(CloseCode.TOO_BIG)
        if not is_last:
            return None
        message = self._opcode, b"".join(self._fragments)
        self._fragments.clear()
        self._opcode = 0
        return message
