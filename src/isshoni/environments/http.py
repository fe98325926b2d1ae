"""A small HTTP client for programs on this machine or a private network, without TLS.

The engine sends about six requests a turn, on a machine that also serves users, and most
commands send some. A general HTTP client takes 130 ms to import, and 30 ms per request to
prepare TLS.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

MAX_ANSWER_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 16
_FAULTS = (OSError, ValueError, httptools.HttpParserError, httptools.HttpParserUpgrade)


class NoAnswer(Exception):
    """There was no answer, or one that cannot be read; the message says why."""


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        """True for a status of 200 to 299."""
        return 200 <= self.status < 300


async def ask(
    url: str,
    *,
    timeout_seconds: float,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Send one request on a new connection, with a timeout; raises `NoAnswer`."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **(headers or {})}.items())
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    request = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _exchange(parts.hostname or "", parts.port or 80, request, max_bytes)
    except TimeoutError:
        raise NoAnswer(f"no answer within {timeout_seconds:g} s") from None
    except _FAULTS as fault:
        raise NoAnswer(_describe(fault)) from None


def _describe(fault: Exception) -> str:
    """Return why there was no answer: "Connection refused", without number and address."""
    if isinstance(fault, OSError) and fault.errno is not None:
        # asyncio's own text is "Connect call failed ('127.0.0.1', 8081)".
        return os.strerror(fault.errno) if fault.errno > 0 else str(fault.strerror)
    return str(fault) or type(fault).__name__


async def _exchange(host: str, port: int, request: bytes, max_bytes: int) -> Answer:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        return await _read(reader, max_bytes)
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, max_bytes: int) -> Answer:
    answer = _Reading()
    parser = httptools.HttpResponseParser(answer)
    while not answer.is_whole:
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            break
        parser.feed_data(chunk)
        if len(answer.content) > max_bytes:
            raise NoAnswer(f"it is more than {max_bytes} bytes")
    if not answer.is_whole and not answer.ends_with_connection:
        raise NoAnswer("the connection was closed before the answer was whole")
    return Answer(parser.get_status_code(), bytes(answer.content))


class _Reading:
    """The parts of the answer parsed so far."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_whole = False
        self.ends_with_connection = False
        self._says_its_length = False

    def on_header(self, name: bytes, value: bytes) -> None:
        del value
        self._says_its_length |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.ends_with_connection = not self._says_its_length

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.is_whole = True
