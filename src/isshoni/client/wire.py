"""The socket under a connection: sends and receives whole frames, and knows nothing of them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from isshoni.client.settings import ClientSettings
from isshoni.session.close_codes import CloseCode

ABNORMAL = 1006
"""What RFC 6455 (7.1.5) calls a loss without a close frame."""
HandleFrame = Callable[[str | bytes], None]


class Wire(Protocol):
    """One open WebSocket. Sending never waits: frames are queued, and go out in order."""

    def send(self, frame: bytes, *, is_text: bool) -> None:
        """Queue a frame; text is UTF-8."""

    def close(self) -> None:
        """Close with 1000 after what is queued; frames still arrive until the answer."""

    def abort(self) -> None:
        """End at once, without a close frame."""

    async def receive(self, handle: HandleFrame) -> int:
        """Call `handle` with each frame (text as `str`) until the end; return the close code."""

    async def wait_sent(self) -> None:
        """Wait until nothing of it sends any more; only after the end."""


OpenWire = Callable[[str, str | None, ClientSettings], Awaitable[Wire]]
"""Opens a URL with a session token. Raises OSError, TimeoutError, InvalidURI or
WebSocketException if it cannot."""


async def open_websocket(url: str, token: str | None, settings: ClientSettings) -> Wire:
    """Open a WebSocket of the websockets library."""
    socket = await connect(
        url,
        additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        compression=None,
        proxy=None,
        open_timeout=settings.open_timeout_seconds,
        close_timeout=settings.close_timeout_seconds,
        ping_interval=None,
        max_size=settings.max_frame_bytes,
    )
    return _WebSocket(socket)


class _WebSocket:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._unsent: deque[tuple[bytes, bool]] = deque()
        self._closing = False
        self._flushing: asyncio.Task[None] | None = None

    def send(self, frame: bytes, *, is_text: bool) -> None:
        self._unsent.append((frame, is_text))
        self._flush_soon()

    def close(self) -> None:
        self._closing = True
        self._flush_soon()

    def abort(self) -> None:
        self._unsent.clear()
        self._socket.transport.abort()

    async def receive(self, handle: HandleFrame) -> int:
        try:
            while True:
                handle(await self._socket.recv())
        except ConnectionClosed as closed:
            # On a frame longer than `max_frame_bytes` this side closes.
            ours = closed.sent.code if closed.sent and not closed.rcvd_then_sent else None
            too_big = ours == CloseCode.TOO_BIG
            return int(CloseCode.TOO_BIG if too_big else self._socket.close_code or ABNORMAL)

    async def wait_sent(self) -> None:
        if self._flushing is not None:
            await asyncio.wait([self._flushing])

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._unsent:
                frame, is_text = self._unsent.popleft()
                await self._socket.send(frame, text=is_text)
            if self._closing:
                await self._socket.close()
            else:
                self._flushing = None
        except ConnectionClosed:
            pass  # `receive` sees it too.
