"""Requests that are no WebSocket handshake, or come too slowly, and programs that refuse one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from isshoni.relay import client_socket, program_socket, transports
from isshoni.relay.core.handshake import MAX_HEAD_BYTES
from tests.integration.relay.bench import Bench, run_bench
from tests.integration.relay.conftest import Doors, serve_relay
from tests.integration.relay.raw_sockets import (
    REQUEST,
    connect,
)
from tests.support.waiting import wait_until


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


async def ask(port: int, request: bytes, *, finish: bool = False) -> bytes:
    """Send bytes and return all that comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        writer.write(request)
        await writer.drain()
    if finish:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions:\r\n x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES * 16, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, 431),
    ],
    ids=[
        "HTTP/2",
        "HTTP/0.9",
        "TLS",
        "a folded header",
        "a body",
        "chunks",
        "a huge header",
        "a flood of headers",
    ],
)
async def test_what_is_no_handshake_gets_an_answer_that_can_be_read(
    bench: Bench, request_bytes: bytes, status: int
) -> None:
    answer = await ask(bench.port, request_bytes)
    head, _, reason = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert len(reason) > 10
    assert not bench.programs["blue"].connections


async def test_a_handshake_that_comes_byte_by_byte_has_so_long_and_no_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "HEAD_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    reading = asyncio.create_task(reader.read())
    while not reading.done():
        writer.write(b"X")
        await asyncio.sleep(0.02)
    assert reading.result().startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_program_that_never_answers_the_handshake_is_502(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program_socket, "ANSWER_SECONDS", 0.5)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with serve_relay({"blue": port, "green": port}) as doors:
        answer = await ask(doors.ports["blue"], REQUEST.format("/").encode())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"did not answer" in answer
    silent.close()


# HTTP that is no upgrade, and upgrades that a program refuses


@contextlib.asynccontextmanager
async def run_http(answer: bytes) -> AsyncIterator[tuple[Doors, list[bytes]]]:
    """Serve a relay in front of a program that answers each request with the same bytes."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                if b"connection: close" in heads[-1].lower():
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with serve_relay({"blue": port, "green": port}) as doors:
        yield doors, heads
    server.close()
    await asyncio.sleep(0.05)  # so that the program's sockets end


async def test_a_request_that_is_no_upgrade_is_answered_once_and_counts_as_no_failure() -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    request = b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    async with run_http(body) as (doors, heads):
        for finish in (False, True):
            answer = await ask(doors.ports["blue"], request + request, finish=finish)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"\r\n\r\nok")
            assert answer.count(b"HTTP/1.1") == 1
        assert len(heads) == 2
        failed = sum(c.by_name()["connections_failed"] for c in doors.relay.counters.values())
        assert failed == 0


@pytest.mark.parametrize("finish", [False, True], ids=["the client last", "the client first"])
async def test_the_socket_of_a_request_that_is_no_upgrade_ends_with_its_answer(
    finish: bool,
) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with run_http(body) as (doors, _):
        await ask(doors.ports["blue"], b"GET /up HTTP/1.1\r\nHost: a\r\n\r\n", finish=finish)
        soon = transports.HALF_CLOSED_SECONDS / 3
        await wait_until(
            lambda: not doors.relay.sockets(), "both sockets have ended", within_seconds=soon
        )


async def test_after_a_refused_upgrade_the_connection_serves_no_other_one() -> None:
    """A next upgrade on it would be a WebSocket that the relay does not know."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
    async with run_http(refusal) as (doors, heads):
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.ports["blue"])
        request = REQUEST.format("/").encode()
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"Connection: close" in head
        assert b"keep-alive" not in head
        writer.write(request)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 30) == b""
        assert len(heads) == 1
        writer.close()


async def test_an_early_hint_before_the_upgrade_is_no_answer() -> None:
    opened = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n"
    async with run_http(opened) as (doors, _):
        client = await connect(doors.ports["blue"])
        assert len(doors.relay.clients_of("blue")) == 1
        client.leave()


# Half closes, and peers that vanish
