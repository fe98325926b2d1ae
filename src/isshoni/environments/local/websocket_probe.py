"""Open a WebSocket at a program, as a client would: does it take the upgrade?"""

import asyncio
import base64
import contextlib
import os
import re

from isshoni.session.identifiers import PROBE_AGENT

_OPEN_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_MAX_HEAD_BYTES = 64 * 1024
_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
"""A close frame of a client: code 1000, with the mask 0."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r|$)")
_ADVICE = (
    "set `probe_path` in [environments.local] to a path where the program takes a WebSocket "
    "without credentials, or remove it: then only the ready path is asked"
)


async def find_websocket_trouble(port: int, path: str) -> str | None:
    """Return why no WebSocket opens at a path of a program on this machine; None if one does."""
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            status = await _open(port, path)
    except TimeoutError:
        return _describe(path, f"was not answered within {_OPEN_SECONDS:g} s")
    except (OSError, ValueError) as fault:
        return _describe(path, f"failed ({fault})")
    return None if status == 101 else _describe(path, f"was answered with HTTP {status}")


def _describe(path: str, what: str) -> str:
    return f"the WebSocket probe of {path} {what}: {_ADVICE}"


async def _open(port: int, path: str) -> int:
    """Send a handshake, and close the WebSocket at once; return the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MAX_HEAD_BYTES)
    try:
        writer.write(_make_request(port, path))
        status = _read_status(await _read_head(reader))
        if status == 101:
            writer.write(_CLOSE)
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(_read_to_end(reader), _CLOSE_SECONDS)
        return status
    finally:
        writer.close()


def _make_request(port: int, path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"User-Agent: {PROBE_AGENT}\r\n\r\n"
    ).encode("ascii")


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if not end.partial:
            raise ValueError("it closed the connection without an answer") from None
        return end.partial
    except asyncio.LimitOverrunError:
        raise ValueError(f"its answer has more than {_MAX_HEAD_BYTES} bytes of headers") from None


def _read_status(head: bytes) -> int:
    found = _STATUS.match(head)
    if found is None:
        raise ValueError(f"its answer is no HTTP: {head[:80]!r}")
    return int(found[1])


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(_MAX_HEAD_BYTES):
        pass
