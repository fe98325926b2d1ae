"""Programs and clients that hang, vanish or read nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from isshoni.relay import client_socket, transports, unread
from isshoni.relay.core import downward
from isshoni.relay.core.moves import Failure, Timing
from tests.integration.relay.bench import QUICK, Bench, run_bench
from tests.integration.relay.conftest import serve_relay
from tests.integration.relay.raw_frames import BINARY, TEXT, close, frame
from tests.integration.relay.raw_sockets import (
    connect,
    run_echo_programs,
)
from tests.support.waiting import wait_until

IDLE = 500


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with run_bench() as bench:
        yield bench


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
