"""What `ask` makes of servers that keep to HTTP, and of those that do not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from isshoni.environments.http import Answer, NoAnswer, ask, keep_connections

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve(answer: bytes, requests: list[bytes] | None = None) -> AsyncIterator[str]:
    """Answer whoever connects with these bytes, and close; gives the URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(head)
        writer.write(answer)
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


WHOLE = {
    "by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "until the close": b"HTTP/1.1 200 OK\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
async def test_an_answer_is_complete_by_length_chunks_or_close(answer: bytes) -> None:
    async with serve(answer) as url:
        assert await ask(url, timeout_seconds=10) == Answer(200, b"hello")


CUT = {
    "nothing": b"",
    "no HTTP": b"nonsense\r\n\r\n",
    "a head cut short": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a body cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
    "a chunk cut short": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhe",
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n\x00",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
async def test_an_incomplete_answer_raises_no_answer(answer: bytes) -> None:
    async with serve(answer) as url:
        with pytest.raises(NoAnswer):
            await ask(url, timeout_seconds=10)


async def test_an_endless_answer_is_cut_off() -> None:
    async with serve(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000) as url:
        with pytest.raises(NoAnswer, match="more than 100000 bytes"):
            await ask(url, timeout_seconds=10, max_bytes=100_000)


async def test_a_closed_port_raises_no_answer() -> None:
    async with serve(b"") as url:
        pass
    with pytest.raises(NoAnswer):
        await ask(url, timeout_seconds=10)


async def test_a_request_has_the_given_method_headers_and_body() -> None:
    requests: list[bytes] = []
    async with serve(WHOLE["by its length"], requests) as url:
        await ask(f"{url}/a?b=c", method="POST", headers={"X": "y"}, body=b"{}", timeout_seconds=10)
    lines = requests[0].decode().split("\r\n")
    assert lines[0] == "POST /a?b=c HTTP/1.1"
    assert {"X: y", "Content-Length: 2", f"Host: {url.removeprefix('http://')}"} <= set(lines)


class Server:
    """Answers so many requests on each connection, and then closes it; with 0 it answers none."""

    def __init__(self, requests_each: int = 1000) -> None:
        self.requests_each = requests_each
        self.connections = 0
        self.methods: list[str] = []
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        listener = await asyncio.start_server(self._accept, "127.0.0.1", port)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        finally:
            listener.close()
            for writer in self._open.values():
                writer.transport.abort()
            if self._open:
                await asyncio.wait(self._open)
            await asyncio.sleep(0)  # the transports are closed in the next turn

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handling = asyncio.create_task(self._handle(reader, writer))
        self._open[handling] = writer
        handling.add_done_callback(self._open.pop)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(self.requests_each or 1000):
                head = await reader.readuntil(b"\r\n\r\n")
                self.methods.append(head.split(b" ")[0].decode())
                if self.requests_each:
                    writer.write(WHOLE["by its length"])
        writer.close()


async def test_a_kept_connection_takes_the_next_request() -> None:
    server = Server()
    async with server.serve() as url, keep_connections():
        for _ in range(5):
            assert await ask(url, timeout_seconds=10, keeps=True) == Answer(200, b"hello")
        assert server.connections == 1
        both = [ask(url, timeout_seconds=10, keeps=True) for _ in range(2)]
        assert await asyncio.gather(*both) == [Answer(200, b"hello")] * 2
        assert server.connections == 2
    async with server.serve() as url:
        for _ in range(2):
            await ask(url, timeout_seconds=10, keeps=True)
    assert server.connections == 4


@pytest.mark.parametrize("requests_each", [1, 2])
async def test_a_connection_that_its_server_closed_is_replaced(requests_each: int) -> None:
    server = Server(requests_each)
    async with server.serve() as url, keep_connections():
        for _ in range(6):
            assert await ask(url, timeout_seconds=10, keeps=True) == Answer(200, b"hello")
    assert len(server.methods) == 6


async def test_a_server_that_was_started_again_is_asked_on_a_new_connection() -> None:
    server = Server()
    async with keep_connections():
        async with server.serve() as url:
            await ask(url, timeout_seconds=10, keeps=True)
        with pytest.raises(NoAnswer, match="refused"):
            await ask(url, timeout_seconds=10, keeps=True)
        async with server.serve(int(url.rpartition(":")[2])):
            await ask(url, timeout_seconds=10, keeps=True)
    assert server.connections == 2


async def test_what_may_not_be_sent_twice_has_a_connection_of_its_own() -> None:
    server = Server()
    async with server.serve() as url, keep_connections():
        for method in ("GET", "POST", "GET", "POST"):
            await ask(url, method=method, timeout_seconds=10, keeps=True)
    assert (server.connections, len(server.methods)) == (3, 4)


async def test_a_request_that_is_given_up_leaves_no_connection_to_the_next() -> None:
    """Its answer may still come, and would be taken for that of the next request."""
    server = Server(0)
    async with server.serve() as url, keep_connections():
        for _ in range(2):
            with pytest.raises(NoAnswer, match="no answer within"):
                await ask(url, timeout_seconds=0.05, keeps=True)
        assert server.connections == 2


async def test_a_request_that_did_not_ask_for_it_keeps_no_connection() -> None:
    server = Server()
    async with server.serve() as url, keep_connections():
        for _ in range(3):
            await ask(url, timeout_seconds=10)
    assert server.connections == 3
