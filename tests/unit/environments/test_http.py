"""What `ask` makes of servers that keep to HTTP, and of those that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from isshoni.environments.http import Answer, NoAnswer, ask

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
