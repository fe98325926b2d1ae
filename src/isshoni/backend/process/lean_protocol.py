"""uvicorn's WebSocket handshake; afterwards `WebSocket` takes the connection over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.exceptions import SecurityError
from websockets.http11 import Request

from isshoni.backend.live.wire import EXTENSION
from isshoni.backend.process.heartbeat import Heartbeat
from isshoni.backend.process.request_heads import MAX_HEAD_BYTES, RefuseHead, answer_and_close
from isshoni.backend.process.web_socket import WebSocket

_MAX_EARLY_BYTES = 64 << 10
"""The most bytes that a client may send before its handshake is answered."""

logger = logging.getLogger("uvicorn.error")

# The default of 8 KiB a line is too short for single sign-on cookies that Envoy accepts.
http11.MAX_LINE_LENGTH = MAX_HEAD_BYTES


class LeanProtocol(WebSocketsSansIOProtocol):
    """The handshake of a WebSocket.

    Nothing of it stays: the request, its headers and the protocol of the handshake would take
    more memory than the open connection.
    """

    note_refusal: RefuseHead
    heartbeat: Heartbeat
    """Both are set by `make_lean`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._early: list[bytes] = []
        self._connection: _Connection | None = None

    def data_received(self, data: bytes) -> None:
        """Parse bytes; answer an unreadable handshake, which uvicorn leaves unanswered."""
        if self.handshake_initiated:
            self._keep_early(data)
            return
        super().data_received(data)
        fault = self.conn.handshake_exc
        if fault is not None and not self.handshake_initiated and not self.close_sent:
            status = 431 if isinstance(fault, SecurityError) else 400
            self.handshake_complete = self.close_sent = True
            reason = str(fault.__cause__ or fault)
            type(self).note_refusal(status, reason, self.client)
            answer_and_close(self.transport, status, reason)

    def _keep_early(self, data: bytes) -> None:
        """Keep frames that the client sends before it has its answer."""
        self._early.append(data)
        if sum(len(part) for part in self._early) > _MAX_EARLY_BYTES:
            self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake; report one that breaks the rules of RFC 6455."""
        super().handle_connect(event)
        status = self.response.status_code
        if status != 101:
            reason = str(self.conn.handshake_exc or self.response.reason_phrase)
            type(self).note_refusal(status, reason, self.client)

    def start_keepalive(self) -> None:
        """Do nothing: `Heartbeat` pings the open WebSocket."""

    def run_asgi(self) -> Coroutine[Any, Any, None]:
        """Return the application's coroutine for this connection."""
        socket = WebSocket(
            self.transport, type(self).heartbeat, self.connections, self.config.ws_max_size
        )
        connection = self._connection = _Connection(self, socket)
        scope: Scope = dict(self.scope)
        scope["extensions"] = {**scope["extensions"], EXTENSION: socket}
        app = _find_app(self.app, scope)
        running = app(scope, connection.receive, connection.send)
        assert isinstance(running, Coroutine)
        return running

    @property
    def on_task_complete(self) -> Callable[[asyncio.Task[None]], None]:
        """Return the callback for the end of the application's task."""
        assert self._connection is not None
        return partial(self._connection.end, self.tasks)

    def hand_over(self, socket: WebSocket) -> None:
        """Let `socket` have the connection, with the bytes that have arrived."""
        self.connections.discard(self)
        socket.open()
        if self._early:
            socket.data_received(b"".join(self._early))


class _Connection:
    """The ASGI connection of one application: first the handshake, then the WebSocket."""

    __slots__ = ("_handshake", "_socket")

    def __init__(self, handshake: LeanProtocol, socket: WebSocket) -> None:
        self._handshake: LeanProtocol | None = handshake
        self._socket = socket

    def receive(self) -> Awaitable[Any]:
        """Return the next message of the client."""
        if self._handshake is not None:
            return self._handshake.receive()
        return self._socket.receive()

    async def send(self, message: Message) -> None:
        """Send a message of the application."""
        handshake = self._handshake
        if handshake is None:
            await self._socket.send(message)
            return
        await handshake.send(message)  # type: ignore[arg-type]
        if message["type"] == "websocket.accept" and handshake.handshake_complete:
            self._handshake = None
            handshake.hand_over(self._socket)

    def end(self, tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        """Close the connection after the application has ended."""
        tasks.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not isinstance(fault, ClientDisconnected):
            logger.error("Exception in ASGI application\n", exc_info=fault)
        if self._handshake is None:
            self._socket.end()
            return
        self._handshake.send_500_response()  # unless it was answered
        self._handshake.transport.close()


def _find_app(app: ASGIApp, scope: Scope) -> ASGIApp:
    """Return the application inside uvicorn's middleware, after that has changed `scope`.

    It only reads headers; as a layer it would keep a coroutine for each connection.
    """
    if not isinstance(app, ProxyHeadersMiddleware):
        return app
    changing = ProxyHeadersMiddleware.__new__(ProxyHeadersMiddleware)
    changing.__dict__.update(app.__dict__, app=_do_nothing)
    with_scope = changing(scope, None, None)  # type: ignore[arg-type]
    try:
        with_scope.send(None)
    except StopIteration:
        pass
    inside: ASGIApp = app.app  # type: ignore[assignment]
    return inside


async def _do_nothing(scope: Any, receive: Any, send: Any) -> None:
    """Serve nothing."""


def make_lean(note: RefuseHead, heartbeat_seconds: float) -> type[LeanProtocol]:
    """Return the protocol class; it reports each refused handshake to `note`."""
    members = {"note_refusal": staticmethod(note), "heartbeat": Heartbeat(heartbeat_seconds)}
    return type("NotingLean", (LeanProtocol,), members)
