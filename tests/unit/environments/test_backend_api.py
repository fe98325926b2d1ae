"""`HttpBackends` against backends that answer with anything at all."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from isshoni.environments.backend_api import HttpBackends
from isshoni.rollout.errors import EnvironmentFault

Serve = Callable[[bytes], None]

WHOLE = b'{"version":"v1","state":"draining","ready":false,"connections":2,"sessions":1,"new":[]}'


class RawServer:
    """Answers every request with the same bytes; None: with silence."""

    def __init__(self) -> None:
        self.answer: bytes | None = b""
        self.requests: list[bytes] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.answer is None:
            await reader.read()
        else:
            writer.write(self.answer)
        writer.close()

    def say(self, body: bytes, status: str = "200 OK") -> None:
        self.answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A listening server."""
    raw = RawServer()
    listener = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield raw
    listener.close()


def backends(server: RawServer, *, speaks: bool = True) -> HttpBackends:
    return HttpBackends({"blue": server.url, "green": server.url}, "token", lambda _: speaks)


HOSTILE = [
    b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000,
    WHOLE.replace(b'"connections":2', b'"connections":-2'),
    WHOLE.replace(b'"connections":2', b'"connections":"many"'),
    WHOLE.replace(b'"draining"', b'"confused"'),
    b'{"version":"' + b"x" * (2 << 20) + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_an_unreadable_status_is_none(server: RawServer, body: bytes) -> None:
    server.say(body)
    assert await backends(server).status("blue") is None
    proof = await backends(server).prove("blue")
    assert not proof.holds and proof.fault


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_an_answer_that_is_not_http_is_no_status(server: RawServer, answer: bytes) -> None:
    server.answer = answer
    assert await backends(server).status("blue") is None
    with pytest.raises(EnvironmentFault, match="blue does not answer"):
        await backends(server).migrate("blue", "green", rate_per_second=1, within_seconds=1)


async def test_a_silent_backend_is_not_waited_for(server: RawServer) -> None:
    server.answer = None
    async with asyncio.timeout(10):
        assert await backends(server).status("blue") is None


async def test_fields_that_are_not_known_are_ignored(server: RawServer) -> None:
    server.say(WHOLE)
    status = await backends(server).status("blue")
    assert status is not None
    assert (status.version, status.draining, status.connections) == ("v1", True, 2)


@pytest.mark.parametrize("state", [b"standby", b"fenced"])
async def test_status_of_a_process_that_does_not_write_is_read(
    server: RawServer, state: bytes
) -> None:
    server.say(WHOLE.replace(b'"draining"', b'"%s"' % state, 1))
    status = await backends(server).status("blue")
    assert status is not None
    assert not status.draining


@pytest.mark.spec("A7")
async def test_the_token_is_sent_and_a_refusal_is_a_fault(server: RawServer) -> None:
    server.say(b"no", "401 Unauthorized")
    with pytest.raises(EnvironmentFault, match="401 no"):
        await backends(server).cancel_migration("blue")
    assert b"authorization: bearer token" in server.requests[0].lower()


async def test_a_program_without_the_api_is_never_asked(server: RawServer) -> None:
    silent = backends(server, speaks=False)
    assert await silent.status("blue") is None
    assert not (await silent.prove("blue")).holds
    assert server.requests == []


async def test_a_release_that_knows_no_processes_says_so_in_words(server: RawServer) -> None:
    server.say(b'{"detail":"Input should be blue or green"}', "422 Unprocessable Entity")
    order = {"rate_per_second": 1.0, "within_seconds": 1.0}
    with pytest.raises(EnvironmentFault, match=r"green is too old .* \(green-1\): deploy a newer"):
        await backends(server).migrate("green", "green-1", **order)
    with pytest.raises(EnvironmentFault, match="green answered /admin/migrate: 422"):
        await backends(server).migrate("green", "blue", **order)
