"""An ASGI application learns of a move, and the state of its connections can follow them."""

import asyncio
from typing import Any

import pytest

from isshoni.middleware import (
    MAX_STATE_BYTES,
    Connection,
    IsshoniMiddleware,
    Message,
    Receive,
    Scope,
    Send,
    StateTooLarge,
)

TOKEN = "0123456789abcdef" * 2
PREFIX = f"isshoni-state:{TOKEN}:"


class Server:
    """Runs the middleware for one connection, as an ASGI server does."""

    def __init__(self, headers: dict[str, str] | None = None, secret: str = "secret") -> None:
        given = {"X-Isshoni-Relay": TOKEN} if headers is None else headers
        self.scope: Scope = {
            "type": "websocket",
            "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
        }
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.app = IsshoniMiddleware(self.serve, secret)
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep what a client says under the key `last`."""
        connection: Connection = scope["isshoni"]
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.seen.append((message["text"], dict(connection.state)))
            connection.state["last"] = message["text"]

    async def run(self, *texts: str) -> None:
        """Let a client say something and leave."""
        self.inbox.put_nowait({"type": "websocket.connect"})
        for text in texts:
            self.inbox.put_nowait({"type": "websocket.receive", "text": text})
        self.inbox.put_nowait({"type": "websocket.disconnect"})

        async def send(message: Message) -> None:
            self.sent.append(message)

        await self.app(self.scope, self.inbox.get, send)

    def reports(self) -> list[str]:
        """Return the states that were reported, signed."""
        texts = [one["text"] for one in self.sent if one["type"] == "websocket.send"]
        return [text.removeprefix(PREFIX) for text in texts]


async def make_state(text: str, **server: Any) -> str:
    """Return a signed state with the last text."""
    one = Server(**server)
    await one.run(text)
    return one.reports()[-1]


async def test_a_state_is_reported_when_it_has_changed() -> None:
    server = Server()
    await server.run("a", "a", "b")
    hello, first, second = server.reports()
    assert hello == ""
    assert first != second


async def test_the_next_program_has_the_state_and_the_slot() -> None:
    state = await make_state("a")
    headers = {"X-Isshoni-Relay": TOKEN, "X-Isshoni-Moved-From": "blue", "X-Isshoni-State": state}
    server = Server(headers)
    await server.run("b")
    assert server.scope["isshoni"].moved_from == "blue"
    assert server.seen == [("b", {"last": "a"})]


async def test_a_state_that_the_relay_sends_later_replaces_the_first_and_is_no_message() -> None:
    server = Server()
    await server.run("a", PREFIX + await make_state("later"), "b")
    assert server.seen == [("a", {}), ("b", {"last": "later"})]


@pytest.mark.parametrize("kind", ["other secret", "other token", "changed", "junk", "no signature"])
async def test_a_state_that_no_program_has_signed_is_ignored(kind: str) -> None:
    genuine = await make_state("a")
    forged = {
        "other secret": await make_state("a", secret="another"),
        "changed": "eyJsYXN0IjoieCJ9." + genuine.partition(".")[2],
        "junk": "=.é",
        "no signature": genuine.partition(".")[0],
    }.get(kind, genuine)
    token = "f" * 32 if kind == "other token" else TOKEN
    server = Server({"X-Isshoni-Relay": token, "X-Isshoni-State": forged})
    await server.run("b")
    assert server.seen == [("b", {})]


@pytest.mark.parametrize("headers", [{}, {"X-Isshoni-Relay": "short"}])
async def test_without_the_relay_nothing_is_reported(headers: dict[str, str]) -> None:
    server = Server(headers)
    await server.run("a", "b")
    assert server.reports() == []
    assert server.seen == [("a", {}), ("b", {"last": "a"})]


async def test_without_a_secret_nothing_is_reported() -> None:
    server = Server(secret="")
    await server.run("a")
    assert server.reports() == []


async def test_a_state_that_is_too_large_is_an_error_with_its_size() -> None:
    server = Server()
    with pytest.raises(StateTooLarge, match=rf"{MAX_STATE_BYTES} can follow it"):
        await server.run("x" * MAX_STATE_BYTES)


async def test_other_requests_pass_untouched() -> None:
    passed: list[object] = []

    async def app(*given: object) -> None:
        passed.extend(given)

    scope, receive, send = {"type": "http"}, object(), object()
    await IsshoniMiddleware(app, "secret")(scope, receive, send)  # type: ignore[arg-type]
    assert passed == [scope, receive, send]
