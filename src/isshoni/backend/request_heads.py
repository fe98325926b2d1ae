"""Request heads that are not taken: each gets an answer, a log line and a counter.

uvicorn leaves a WebSocket handshake that its parser refuses without any answer, and
takes the head of an ordinary request however long it is.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isshoni.backend.counters import Counters
from isshoni.backend.log import log_event

MAX_HEAD_BYTES = 64 << 10
"""Envoy takes 60 KiB from a client and adds headers of its own; an ALB takes as much."""
_LINGER_SECONDS = 1.0
"""For the client to read the answer, although it still sends: a reset would take it away."""
_PHRASES = {
    400: "Bad Request",
    405: "Method Not Allowed",
    414: "URI Too Long",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
}
_COUNTED = {414: "refused_headers", 431: "refused_headers"}

RefuseHead = Callable[[int, str, Any], None]
"""Notes a refusal: its status, why, and the peer's address."""


def count_refused_heads(counters: Counters) -> RefuseHead:
    """Return what counts and logs refused heads; never with what is in their headers."""

    def note(status: int, reason: str, peer: Any) -> None:
        name = _COUNTED.get(status, "refused_handshake")
        setattr(counters, name, getattr(counters, name) + 1)
        address = peer[0] if peer else None
        log_event("refused", status=status, reason=reason.strip()[:300], peer=address)

    return note


def answer_and_close(transport: asyncio.Transport, status: int, reason: str) -> None:
    """Send a refusal and close, a moment later."""
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
    """Set by `bound_http`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = 0
        """Bytes of a head that has not ended yet."""
        self._refused = False
        self._too_large: str | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a request that is refused already are dropped."""
        if self._refused:
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self._refused:
            self._too_large = f"a head of over {MAX_HEAD_BYTES} bytes"
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """Refuse a head that came at once and is too large, or go on with it."""
        self._unread = 0
        total = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if total > MAX_HEAD_BYTES:
            name, value = max(self.headers, key=lambda header: len(header[1]))
            longest = name.decode("latin-1")[:60]
            self._too_large = (
                f"a head of {total} bytes, over {MAX_HEAD_BYTES}: {longest} has {len(value)}"
            )
            raise httptools.HttpParserError(self._too_large)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which counts for no head."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what follows is another's head."""
        self._unread = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse: what uvicorn calls for everything that its parser does not take."""
        self._refused = True
        status, reason = (431, self._too_large) if self._too_large else (400, msg)
        type(self).note_refusal(status, reason, self.client)
        answer_and_close(self.transport, status, reason)


def bound_http(note: RefuseHead) -> type[BoundedHttp]:
    """Return the HTTP protocol that notes what it refuses by `note`."""
    return type("NotingHttp", (BoundedHttp,), {"note_refusal": staticmethod(note)})
