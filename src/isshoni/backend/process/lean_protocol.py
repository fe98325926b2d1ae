"""uvicorn's WebSocket protocol, with less memory for each idle connection."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.exceptions import SecurityError
from websockets.http11 import Request
from websockets.server import ServerProtocol

from isshoni.backend.process.request_heads import MAX_HEAD_BYTES, RefuseHead, answer_and_close
from isshoni.session.close_codes import CloseCode

_LINGER_SECONDS = 10.0
"""Seconds for the sender of a too large frame to send the rest and read the reason."""
_QUIET_SECONDS = 0.5
"""Seconds without a byte after which the frame counts as sent."""

# The default of 8 KiB a line is too short for single sign-on cookies that Envoy accepts.
http11.MAX_LINE_LENGTH = MAX_HEAD_BYTES


class LeanProtocol(WebSocketsSansIOProtocol):
    """The protocol of the public port.

    An `asyncio.Queue` and an `asyncio.Event` hold five empty deques of 600 bytes each,
    which one reader hardly uses. Measured with `benchmarks/backend_load.py
    idle`: 20.2 kB a connection with them, 15.9 without.
    """

    note_refusal: RefuseHead
    """Set by `make_lean`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Wire(max_size=self.config.ws_max_size, logger=self.logger)
        self.queue: Any = _Mailbox()
        self.writable: Any = _Gate()
        self._linger_until = 0.0

    def data_received(self, data: bytes) -> None:
        """Parse bytes; answer an unreadable handshake, which uvicorn leaves unanswered."""
        super().data_received(data)
        fault = self.conn.handshake_exc
        if fault is not None and not self.handshake_initiated and not self.close_sent:
            status = 431 if isinstance(fault, SecurityError) else 400
            self.handshake_complete = self.close_sent = True
            reason = str(fault.__cause__ or fault)
            type(self).note_refusal(status, reason, self.client)
            answer_and_close(self.transport, status, reason)

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake; report one that breaks the rules of RFC 6455."""
        super().handle_connect(event)
        status = self.response.status_code
        if status != 101:
            reason = str(self.conn.handshake_exc or self.response.reason_phrase)
            type(self).note_refusal(status, reason, self.client)

    def handle_parser_exception(self) -> None:
        """Close a connection whose frame breaks the rules.

        Closing a socket with unread bytes resets it, and the close frame is lost: the sender of
        a too large frame would never learn the reason. So the rest of the frame is read first.
        """
        if self.conn.close_sent is None or self.conn.close_sent.code != CloseCode.TOO_LARGE:
            super().handle_parser_exception()
            return
        if not self.close_sent:
            self.close_sent = True
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.TOO_LARGE})
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._linger_until = self.loop.time() + _LINGER_SECONDS
        elif self.close_timer is not None:
            self.close_timer.cancel()
        close_at = min(self.loop.time() + _QUIET_SECONDS, self._linger_until)
        self.close_timer = self.loop.call_at(close_at, self.transport.close)


class _Wire(ServerProtocol):
    """The WebSocket protocol; it refuses a too large frame with a final close code.

    After 1009 a Yjs client reconnects, and would send the same frame again, for ever.
    """

    def fail(self, code: int, reason: str = "") -> None:
        """Close because of a fault of the client."""
        if code == CloseCode.TOO_BIG:
            limit = self.max_message_size
            code, reason = CloseCode.TOO_LARGE, f"a frame may have at most {limit} bytes: split it"
        super().fail(code, reason)


def make_lean(note: RefuseHead) -> type[LeanProtocol]:
    """Return the protocol class; it reports each refused handshake to `note`."""
    return type("NotingLean", (LeanProtocol,), {"note_refusal": staticmethod(note)})


class _Mailbox:
    """The part of `asyncio.Queue` that uvicorn uses, for the one reader that ASGI has."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message, and wake the reader."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        """True if there is no message."""
        return not self._messages

    async def get(self) -> Any:
        """Remove and return the oldest message; wait for one if there is none."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)


class _Gate:
    """The part of `asyncio.Event` that uvicorn uses; set at first, as a new socket is writable."""

    __slots__ = ("_is_set", "_opening")

    def __init__(self) -> None:
        self._is_set = True
        self._opening: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """True if it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake every waiter."""
        self._is_set = True
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)
        self._opening = None

    def clear(self) -> None:
        """Clear it."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set."""
        if not self._is_set:
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_future()
            # Shielded: others may wait for the same future.
            await asyncio.shield(self._opening)
