"""A socket that is parked and continued loses and doubles no byte, however slow its peer is."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from isshoni.relay.stream import Stream, continue_socket
from tests.support.waiting import wait_until

Runner = Callable[[Coroutine[Any, Any, None]], None]


class Writer(asyncio.Protocol):
    """Writes to a socket that is parked now and then."""

    def __init__(self) -> None:
        self.unsent = b""
        self.got = bytearray()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stream = Stream(transport, self.unsent)

    def data_received(self, data: bytes) -> None:
        self.got += data

    def resume_writing(self) -> None:
        self.stream.forget_sent()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = not self.stream.end()


@pytest.fixture(params=[uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Runner:
    runner: Runner = request.param
    return runner


def _connect() -> tuple[socket.socket, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(listener.getsockname())
    far, _ = listener.accept()
    listener.close()
    far.setblocking(False)
    return near, far


@pytest.mark.parametrize("seed", range(8))
def test_a_slow_peer_gets_every_byte_once_and_in_order(run: Runner, seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        near, far = _connect()
        writer = Writer()
        await continue_socket(writer, near.detach())
        sent, got = bytearray(), bytearray()

        async def read() -> None:
            while True:
                with contextlib.suppress(BlockingIOError):
                    got.extend(far.recv(rng.randrange(1, 200_000)))
                await asyncio.sleep(0.0005)

        reading = asyncio.create_task(read())
        for _ in range(15):
            for _ in range(rng.randrange(5)):
                data = os.urandom(rng.randrange(1, 300_000))
                sent += data
                writer.stream.write(data)
            await asyncio.sleep(rng.random() * 0.003)
            parked = await writer.stream.park()
            writer.unsent = parked.unsent
            await continue_socket(writer, parked.descriptor)
        await wait_until(lambda: len(got) >= len(sent), "every byte has come")
        reading.cancel()
        assert got == sent
        assert not writer.ended
        writer.stream.close()
        far.close()

    run(main())


def test_what_comes_while_a_socket_is_parked_is_read_afterwards(run: Runner) -> None:
    async def main() -> None:
        near, far = _connect()
        writer = Writer()
        await continue_socket(writer, near.detach())
        far.send(b"before ")
        await wait_until(lambda: writer.got == b"before ", "the first bytes have come")
        parked = await writer.stream.park()
        far.send(b"while ")
        await continue_socket(writer, parked.descriptor)
        far.send(b"after")
        await wait_until(lambda: writer.got == b"before while after", "all bytes have come")
        far.close()
        await wait_until(lambda: writer.ended, "its end is noticed")

    run(main())
