"""The prober tells the ways apart in which a session cannot be had."""

import http
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from isshoni.verify.attribution import ProbeOutcome
from isshoni.verify.prober import probe
from tests.support.valkey import find_free_port

Handler = Callable[[ServerConnection], Awaitable[None]]


def _answer(*frames: str | bytes) -> Handler:
    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        for frame in frames:
            await socket.send(frame)
        await socket.wait_closed()

    return handle


async def _close(socket: ServerConnection) -> None:
    await socket.close(1012)


@pytest.mark.spec("E3")
@pytest.mark.parametrize(
    ("handler", "outcome", "detail"),
    [
        (_answer(b"\x00\x00", '{"type":"session_restored"}'), ProbeOutcome.RESTORED, ""),
        (_answer('{"type":"error","code":"not_ready"}'), ProbeOutcome.NOT_READY, "not_ready"),
        (_answer("}{"), ProbeOutcome.CLOSED, "an answer that is no JSON"),
        (_close, ProbeOutcome.CLOSED, "code 1012"),
        (_answer(), ProbeOutcome.SILENT, "within 2 s"),
    ],
    ids=["restored", "not ready", "nonsense", "closed", "silent"],
)
async def test_what_a_server_does_is_told(
    handler: Handler, outcome: ProbeOutcome, detail: str
) -> None:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        assert await probe(f"ws://127.0.0.1:{port}", "team") == (outcome, detail)


async def test_a_balancer_with_nobody_behind_it_turns_away() -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "nobody\n")

    async with serve(_close, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        found = await probe(f"ws://127.0.0.1:{port}", "team")
    assert found == (ProbeOutcome.TURNED_AWAY, "status 503")


async def test_a_port_without_a_listener_refuses() -> None:
    found = await probe(f"ws://127.0.0.1:{find_free_port()}", "team")
    assert found == (ProbeOutcome.REFUSED, "")
