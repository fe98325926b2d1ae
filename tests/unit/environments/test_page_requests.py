"""Requests to one slot through the balancer."""

import asyncio

import pytest

from isshoni.environments.http import NoAnswer
from isshoni.environments.page_requests import open_requests


async def test_request_names_its_slot_and_says_that_it_is_a_probe() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_requests(f"http://127.0.0.1:{port}") as send:
        answer = await send("DELETE", "/sessions/s", {"target": "green", "ticket": "a/b"})
    assert (answer.status, answer.content) == (503, b"busy")
    assert heads[0].startswith(b"DELETE /sessions/s?target=green&ticket=a%2Fb HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: isshoni-probe" in heads[0]


@pytest.mark.parametrize("address", ("http://127.0.0.1:9", "https://127.0.0.1:9", "http://"))
async def test_balancer_that_cannot_be_reached_is_no_answer(address: str) -> None:
    async with open_requests(address) as send:
        with pytest.raises(NoAnswer):
            await send("GET", "/", {"target": "blue"})
