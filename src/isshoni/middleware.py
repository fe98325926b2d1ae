"""Pass on to an ASGI application that a connection was moved, and let a small state follow it.

    from isshoni.middleware import IsshoniMiddleware

    app = FastAPI()
    app = IsshoniMiddleware(app)

Then `scope["isshoni"]` of each WebSocket (`websocket.scope["isshoni"]`) is a `Connection`. Only the
standard library is used here. docs/profiles.md has what the relay does with it.
"""

import base64
import binascii
import hmac
import json
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_STATE_BYTES = 2048
"""Of the state, as JSON."""
_TOKEN = re.compile(r"[0-9a-f]{32}")
_REPORTS = (b"x-isshoni-state", b"1")
_PURPOSE = b"isshoni connection state"


@dataclass
class Connection:
    """What an application may know of a connection that the relay moves."""

    moved_from: str | None = None
    """The slot that the client was moved away from; None for a new client."""
    state: dict[str, Any] = field(default_factory=dict)
    """Follows the client to the next program: what JSON can express, `MAX_STATE_BYTES` at most.

    Changes are noticed when the application next receives or sends a message.
    """


class StateTooLarge(ValueError):
    """The state of a connection is too large to follow it to the next program."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the state of a connection has {size_bytes} bytes as JSON; {MAX_STATE_BYTES} "
            "can follow it: keep a key there, and the rest in a store"
        )


class IsshoniMiddleware:
    """Gives each WebSocket of an application its `Connection`.

    The state is signed with `secret`, by default the one that every program of an environment
    has (ISSHONI_TICKET_SECRET). Without any secret the state stays with this program.
    """

    def __init__(self, app: App, secret: str | None = None) -> None:
        self._app = app
        found = os.environ.get("ISSHONI_TICKET_SECRET", "") if secret is None else secret
        self._key = hmac.digest(found.encode(), _PURPOSE, "sha256") if found else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        carrier = _Carrier(self._key, scope, receive, send)
        scope["isshoni"] = carrier.connection
        await self._app(scope, carrier.receive, carrier.send)


class _Carrier:
    """Reports the state of one connection to the relay, and reads what the relay reports."""

    def __init__(self, key: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {bytes(k).lower(): bytes(v).decode("latin-1") for k, v in scope["headers"]}
        token = headers.get(b"x-isshoni-relay", "")
        self._is_relayed = bool(key and _TOKEN.fullmatch(token))
        self._key, self._token = key, token
        self._prefix = f"isshoni-state:{token}:"
        self._receive, self._send = receive, send
        self._is_open = False
        self.connection = Connection(headers.get(b"x-isshoni-moved-from"))
        self._reported = "{}"
        self._read(headers.get(b"x-isshoni-state", ""))

    async def receive(self) -> Message:
        """Return the next message of the client; report the state before."""
        await self._report()
        while True:
            message = await self._receive()
            text = message.get("text") if message["type"] == "websocket.receive" else None
            if not (self._is_relayed and text and text.startswith(self._prefix)):
                return message
            self._read(text[len(self._prefix) :])

    async def send(self, message: Message) -> None:
        """Send a message of the application, and report the state after it."""
        accepts = message["type"] == "websocket.accept"
        if accepts and self._is_relayed:
            message = {**message, "headers": [*message.get("headers", ()), _REPORTS]}
        await self._send(message)
        if accepts:
            self._is_open = True
            if self._is_relayed:
                # As with the header, the relay knows that this program reports a state.
                await self._send({"type": "websocket.send", "text": self._prefix})
        elif message["type"] != "websocket.send":
            self._is_open = False
        await self._report()

    async def _report(self) -> None:
        if not (self._is_relayed and self._is_open):
            return
        text = json.dumps(self.connection.state, separators=(",", ":"), sort_keys=True)
        if text == self._reported:
            return
        if len(text.encode()) > MAX_STATE_BYTES:
            raise StateTooLarge(len(text.encode()))
        self._reported = text
        await self._send({"type": "websocket.send", "text": self._prefix + self._sign(text)})

    def _sign(self, text: str) -> str:
        body = base64.urlsafe_b64encode(text.encode()).decode()
        return f"{body}.{self._make_signature(body)}"

    def _make_signature(self, body: str) -> str:
        return hmac.new(self._key, f"{self._token}.{body}".encode(), sha256).hexdigest()

    def _read(self, signed: str) -> None:
        """Set the state to a reported one, if a program of this environment has signed it."""
        body, _, signature = signed.partition(".")
        expected = self._make_signature(body) if self._is_relayed else ""
        if not expected or not hmac.compare_digest(signature.encode(), expected.encode()):
            return
        try:
            text = base64.urlsafe_b64decode(body).decode()
            state = json.loads(text)
        except (binascii.Error, ValueError):
            return
        if isinstance(state, dict):
            self.connection.state.clear()
            self.connection.state.update(state)
            self._reported = text
