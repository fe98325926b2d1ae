"""Programs and clients that hang, vanish, read nothing or speak something else than WebSocket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from isshoni.relay import client_socket, program_socket, transports, unread
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core import downward
from isshoni.relay.core.handshake import MAX_HEAD_BYTES
from isshoni.relay.core.moves import Failure, Timing
from tests.integration.relay.conftest import Doors, serve_relay
from tests.integration.relay.raw_frames import BINARY, TEXT, close, frame
from tests.integration.relay.raw_sockets import (
    REQUEST,
    RawConnection,
    RawProgram,
    connect,
    run_echo_programs,
    run_raw_programs,
)
from tests.support.waiting import wait_until

QUICK = Timing(dial_seconds=2.0, old_seconds=0.5)
IDLE = 500


@dataclass
class Bench:
    """A relay in front of programs that do as they are asked."""

    doors: Doors
    programs: dict[str, RawProgram]

    @property
    def port(self) -> int:
        """Return the port of the door that clients come by."""
        return self.doors.ports["blue"]

    def connection(self, colour: str, path: str = "/") -> RawConnection:
        """Return a program's connection for a client."""
        found = self.programs[colour].connection(path)
        assert found is not None
        return found

    def only_client(self) -> ClientSocket:
        """Return the client that there is."""
        (client,) = self.doors.relay.clients_of("blue") + self.doors.relay.clients_of("green")
        return client

    async def move(self, to: str = "green") -> Failure | None:
        """Move the client that there is."""
        client = self.only_client()
        self.doors.relay.arm(client)
        return await self.doors.relay.move(client, to)


@contextlib.asynccontextmanager
async def run_bench(*, answers: bool = True, closes: bool = True) -> AsyncIterator[Bench]:
    """Serve a relay and its programs."""
    async with run_raw_programs(answers=answers, closes=closes) as programs:
        ports = {colour: program.port for colour, program in programs.items()}
        async with serve_relay(ports, timing=QUICK) as doors:
            yield Bench(doors, programs)


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


# Handshakes that are none


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


async def test_a_client_that_sends_no_more_gets_what_the_program_says_last(bench: Bench) -> None:
    client = await connect(bench.port)
    await client.send(frame(TEXT, b"the last"))
    client.writer.write_eof()
    connection = bench.connection("blue")
    await wait_until(lambda: len(connection.frames) == 1, "the program has the message")
    await wait_until(lambda: connection.has_ended, "the program sees the end")
    await client.read_to_end(30.0)
    assert client.has_ended
    client.leave()


async def test_one_end_that_never_finishes_is_ended_after_the_other_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "HALF_CLOSED_SECONDS", 0.3)
    client = await connect(bench.port)
    bench.connection("blue").writer.write(frame(TEXT, b"bye", key=None))
    bench.connection("blue").writer.write_eof()
    assert await client.read_to_end(30.0) == frame(TEXT, b"bye", key=None)
    await wait_until(lambda: not bench.doors.relay.clients_of("blue"), "the relay has ended it")
    client.leave()


async def test_a_client_that_reads_nothing_does_not_keep_its_socket_after_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(downward, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(client_socket, "CLOSE_SECONDS", 0.2)
    client = await connect(bench.port)
    await send_until_full(bench.connection("blue").writer)
    bench.only_client().close(1012, "it has to go")
    await wait_until(lambda: not bench.doors.relay.clients_of("blue"), "the relay has ended it")
    client.leave()


# Backpressure


async def send_until_full(writer: asyncio.StreamWriter) -> int:
    """Send large messages until the other end reads no more; return how many bytes it took."""
    sent = 0
    while True:
        writer.write(frame(BINARY, b"x" * 1_000_000, key=None))
        sent += 1_000_010
        try:
            await asyncio.wait_for(writer.drain(), 0.5)
        except TimeoutError:
            return sent


async def test_clients_of_one_address_that_read_nothing_are_closed_and_idle_ones_stay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "MOST_BYTES", 150_000)
    monkeypatch.setattr(client_socket, "EVICTED_SECONDS", 0.1)
    idle = await connect(bench.port, "/idle")
    deaf = [await connect(bench.port, f"/deaf/{number}") for number in range(3)]
    for number in range(3):
        with contextlib.suppress(OSError):  # it was closed by then
            await send_until_full(bench.connection("blue", f"/deaf/{number}").writer)
    relay = bench.doors.relay
    await wait_until(lambda: len(relay.clients_of("blue")) < 4, "one of them was closed")
    assert relay.count("blue").by_name()["closed_unread"] >= 1
    left = [client.handshake.target for client in relay.clients_of("blue") if client.handshake]
    assert "/idle" in left
    for client in (idle, *deaf):
        client.leave()


async def test_a_client_that_reads_nothing_does_not_hide_the_end_of_its_program(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "LINGER_SECONDS", 0.3)
    client = await connect(bench.port)
    relayed, program = bench.only_client(), bench.connection("blue").writer
    while not relayed._is_full:
        program.write(frame(BINARY, b"x" * 60_000, key=None))
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.7)
    assert bench.doors.relay.clients_of("blue")  # its program lives
    program.close()
    await wait_until(lambda: not bench.doors.relay.clients_of("blue"), "the relay has ended it")
    client.leave()


async def test_a_client_that_reads_nothing_stops_the_program_and_loses_nothing(
    bench: Bench,
) -> None:
    client = await connect(bench.port)
    sent = await send_until_full(bench.connection("blue").writer)
    transport = bench.only_client()._transport
    assert transport is not None
    assert transport.get_write_buffer_size() < 200_000
    await client.read_until(sent)
    assert len(client.got) == sent
    client.leave()


async def test_a_program_that_reads_nothing_stops_the_client_and_loses_nothing() -> None:
    wake = asyncio.Event()
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        await wake.wait()
        while data := await reader.read(1 << 20):
            got.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with serve_relay({"blue": port, "green": port}) as doors:
        client = await connect(doors.ports["blue"])
        sent = await send_until_full(client.writer)
        (relayed,) = doors.relay.clients_of("blue")
        (program,) = relayed._legs
        assert program._transport is not None
        assert program._transport.get_write_buffer_size() < 200_000
        wake.set()
        await wait_until(lambda: len(got) == sent, "the program has everything")
        client.leave()
    server.close()


async def test_a_client_that_reads_nothing_stays_and_one_that_reads_again_moves(
    bench: Bench,
) -> None:
    client = await connect(bench.port)
    sent = await send_until_full(bench.connection("blue").writer)
    moving = asyncio.create_task(bench.move())
    await wait_until(lambda: bench.programs["green"].connections, "green was dialed")
    await client.read_until(sent)
    assert await moving is None
    bench.connection("green").writer.write(frame(TEXT, b"green", key=None))
    await client.read_until(sent + 7)
    assert bytes(client.got[sent:]) == frame(TEXT, b"green", key=None)
    client.leave()


# Programs that fail in the middle of a move


async def test_a_candidate_that_dies_in_the_middle_of_a_move_leaves_the_client(
    bench: Bench,
) -> None:
    client = await connect(bench.port)
    moving = asyncio.create_task(bench.move())
    await wait_until(lambda: bench.programs["green"].connections, "green was dialed")
    bench.connection("green").writer.transport.abort()
    assert await moving is Failure.NEW_ENDED
    bench.connection("blue").writer.write(frame(TEXT, b"blue", key=None))
    await client.send(frame(TEXT, b"still here"))
    await client.read_until(6)
    await wait_until(lambda: bench.connection("blue").frames, "blue has the message")
    assert bytes(client.got) == frame(TEXT, b"blue", key=None)
    client.leave()


async def test_an_old_program_that_never_closes_does_not_hold_up_its_client() -> None:
    async with run_bench(closes=False) as bench:
        client = await connect(bench.port)
        assert await bench.move() is None
        await client.send(frame(TEXT, b"to green"))
        await wait_until(lambda: bench.connection("green").frames, "green has the message")
        await wait_until(lambda: bench.connection("blue").has_ended, "blue's socket has ended")
        bench.connection("green").writer.write(frame(TEXT, b"green", key=None))
        await client.read_until(7)
        assert bytes(client.got) == frame(TEXT, b"green", key=None)
        client.leave()


async def test_a_program_that_hangs_keeps_its_client_and_the_reason_is_counted() -> None:
    async with run_bench(answers=False) as bench:
        client = await connect(bench.port)
        bench.doors.relay.timing = QUICK
        link = bench.only_client().link
        assert link is not None
        link._timing = Timing(give_up_seconds=0.5, patience_seconds=0.1)
        assert await bench.move() is Failure.NEVER_QUIET
        counters = bench.doors.relay.counters["blue"].failures
        assert (
            sum(counters.values()) + sum(bench.doors.relay.counters["green"].failures.values()) == 1
        )
        client.leave()


async def test_five_hundred_idle_sockets_move_there_and_back() -> None:
    async with run_echo_programs() as ports, serve_relay(ports) as doors:
        clients = [await connect(doors.ports["blue"], f"/{n}") for n in range(IDLE)]
        for away, to in (("blue", "green"), ("green", "blue")):
            found = doors.relay.clients_of(away)
            for one in found:
                doors.relay.arm(one)
            for at in range(0, IDLE, 100):
                some = found[at : at + 100]
                moved = await asyncio.gather(*(doors.relay.move(one, to) for one in some))
                assert moved == [None] * len(some)
        for client in clients:
            await client.send(frame(TEXT, b"hello"))
        for client in clients:
            await client.read_until(7)
            await client.send(close())
            await client.read_to_end(30.0)
            assert bytes(client.got) == frame(TEXT, b"hello", key=None) + close(key=None)
            client.leave()
