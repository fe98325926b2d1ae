"""Refuse bad request heads with an answer, a log line and a counter.

uvicorn sends no answer to a WebSocket handshake that its parser refuses, and has no
limit on the head of an ordinary request.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.process.handshake_pace import HandshakePace, has_left

MAX_HEAD_BYTES = 64 << 10
"""Envoy accepts 60 KiB from a client and adds headers of its own; an ALB is similar."""
_LINGER_SECONDS = 1.0
"""Seconds for the client to read the answer while it still sends: a reset would lose it."""
_PHRASES = {
    400: "Bad Request",
    405: "Method Not Allowed",
    414: "URI Too Long",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
}
_COUNTED = {414: "refused_headers", 431: "refused_headers"}

RefuseHead = Callable[[int, str, Any], None]
"""Reports a refusal: its status, the reason, and the client's address."""


def count_refused_heads(counters: Counters) -> RefuseHead:
    """Return a function that counts and logs refused heads, without header values."""

    def note(status: int, reason: str, peer: Any) -> None:
        name = _COUNTED.get(status, "refused_handshake")
        setattr(counters, name, getattr(counters, name) + 1)
        address = peer[0] if peer else None
        log_event("refused", status=status, reason=reason.strip()[:300], peer=address)

    return note


def answer_and_close(transport: asyncio.Transport, status: int, reason: str) -> None:
    """Send a refusal, and close the connection a moment later."""
    body = f"{reason.strip()}\n".encode("ascii", "replace")
    head = (
        f"HTTP/1.1 {status} {_PHRASES.get(status, 'Refused')}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    transport.write(head.encode() + body)
    if transport.can_write_eof():
        transport.write_eof()
    asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.close)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with a bound on the head of a request."""

    note_refusal: RefuseHead
    pace: HandshakePace
    """Both set by `bound_http`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = 0
        """Bytes received of a head that has not ended."""
        self._refused = False
        self._too_large: str | None = None
        self._waits = False
        """True if the handshake did not begin at once."""

    def data_received(self, data: bytes) -> None:
        """Parse bytes; after a refusal the rest of the request is dropped."""
        if self._refused:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self._refused:
            self._too_large = f"the head is longer than {MAX_HEAD_BYTES} bytes"
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """Refuse a complete head that is too large; otherwise handle the request."""
        self._unread = 0
        total = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if total > MAX_HEAD_BYTES:
            name, value = max(self.headers, key=lambda header: len(header[1]))
            longest = name.decode("latin-1")[:60]
            self._too_large = (
                f"the head has {total} bytes, over {MAX_HEAD_BYTES}: {longest} has {len(value)}"
            )
            raise httptools.HttpParserError(self._too_large)
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Begin the handshake in its turn; nothing is read from the client until then."""
        if not type(self).pace.begin(self._begin_handshake):
            self._waits = True
            self.transport.pause_reading()

    def _begin_handshake(self) -> None:
        if self.transport.is_closing():
            return
        if self._waits:
            if has_left(self.transport):
                # It gave up; its next handshake must not wait for this one.
                self.transport.abort()
                return
            self.transport.resume_reading()
        super().handle_websocket_upgrade()
        # It has this object, which nothing else ends: only a garbage collection could free the two.
        self.parser = None  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Handle a part of the body, which does not count towards the head."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request; the next bytes begin another head."""
        self._unread = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request; uvicorn calls this for each one that its parser refuses."""
        self._refused = True
        status, reason = (431, self._too_large) if self._too_large else (400, msg)
        type(self).note_refusal(status, reason, self.client)
        answer_and_close(self.transport, status, reason)


def bound_http(note: RefuseHead) -> type[BoundedHttp]:
    """Return the HTTP protocol class; it reports each refusal to `note`."""
    own = {"note_refusal": staticmethod(note), "pace": HandshakePace()}
    return type("NotingHttp", (BoundedHttp,), own)
