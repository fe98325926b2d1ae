"""A probe that opens a WebSocket at a program: what each kind of answer is reported as."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from isshoni.environments.local import websocket_probe
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.websocket_probe import find_websocket_trouble

OPEN = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@contextlib.asynccontextmanager
async def program(answer: bytes | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve one answer to each handshake, None: none at all; yield the port and what came."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            got.append(await reader.read())  # until the probe gives up
        else:
            writer.write(answer)
            if answer == OPEN:
                got.append(await reader.readexactly(8))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], got


async def test_a_websocket_that_opens_is_no_trouble_and_is_closed_with_1000() -> None:
    async with program(OPEN) as (port, got):
        assert await find_websocket_trouble(port, "/ws/room") is None
    request, close = got
    assert request.startswith(b"GET /ws/room HTTP/1.1\r\n")
    assert b"\r\nUpgrade: websocket\r\n" in request
    assert close == b"\x88\x82\x00\x00\x00\x00" + (1000).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "was answered with HTTP 403"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "was answered with HTTP 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "was answered with HTTP 200"),
        (b"", "failed (it closed the connection without an answer)"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "failed (its answer is no HTTP: b'SSH-2.0-OpenSSH"),
        (b"HTTP/1.1 101 x\r\nX: " + b"y" * (1 << 17), "has more than 65536 bytes of headers"),
    ],
)
async def test_another_answer_is_named_with_the_path_and_what_to_set(
    answer: bytes, words: str
) -> None:
    async with program(answer) as (port, _):
        trouble = await find_websocket_trouble(port, "/ws/room")
    assert trouble is not None and words in trouble
    assert trouble.startswith("the WebSocket probe of /ws/room ")
    assert "set `probe_path` in [environments.local]" in trouble


async def test_a_program_that_does_not_answer_or_listen_is_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_probe, "_OPEN_SECONDS", 0.1)
    async with program(None) as (port, _):
        trouble = await find_websocket_trouble(port, "/")
        assert trouble is not None and "was not answered within 0.1 s" in trouble
    assert "failed (" in str(await find_websocket_trouble(port, "/"))


@pytest.mark.parametrize("path", ["/", "/ws/room?probe=1", "/%EA%B0%80"])
def test_a_probe_path_is_a_path(path: str) -> None:
    relaying = LocalConfig(probe_path=path).relaying
    assert relaying is not None and relaying.probe_path == path


@pytest.mark.parametrize("path", ["", "ws", "/a b", "/a\r\nX: 1", "/방", "http://a/b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path: it begins with `/`"):
        LocalConfig(probe_path=path)
