"""A small HTTP client for programs on this machine or a private network, without TLS.

The engine sends about six requests a turn, on a machine that also serves users, and most
commands send some. A general HTTP client takes 130 ms to import, and 30 ms per request to
prepare TLS.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

import httptools

MAX_ANSWER_BYTES = 16 << 20
IDLE_SECONDS = 2.0
"""How long a connection is kept for the next request; servers close theirs after 5 s."""
_CHUNK_BYTES = 1 << 16
_FAULTS = (OSError, ValueError, httptools.HttpParserError, httptools.HttpParserUpgrade)


class NoAnswer(Exception):
    """There was no answer, or one that cannot be read; the message says why."""


class _Incomplete(NoAnswer):
    """The connection ended before the answer did."""


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
    keeps: bool = False,
) -> Answer:
    """Send one request, with a timeout; raises `NoAnswer`.

    It has a connection of its own. With `keeps`, inside `keep_connections`, a GET uses one that
    is still open from before: only for admin ports. A program that serves one connection after
    the other would wait for the next request, and a probe must show that new ones are accepted.
    """
    parts = urlsplit(url)
    # Only what may be sent twice: a server may close a connection just as the next request comes.
    kept = _kept.get() if keeps and method == "GET" else None
    lines = {"Host": parts.netloc, "Connection": "keep-alive" if kept else "close"}
    lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **(headers or {})}.items())
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    request = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body
    try:
        async with asyncio.timeout(timeout_seconds):
            address = parts.hostname or "", parts.port or 80
            return await _exchange(kept, address, request, max_bytes)
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


_Address = tuple[str, int]
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connections:
    """Open connections that wait for the next request, by address."""

    def __init__(self) -> None:
        self._idle: dict[_Address, list[tuple[float, _Stream]]] = {}
        self._closed = False

    def take(self, address: _Address) -> _Stream | None:
        """Return an open connection, the last one that was used; None if there is none."""
        idle = self._idle.get(address, [])
        while idle:
            since, (reader, writer) = idle.pop()
            usable = monotonic() - since < IDLE_SECONDS
            if usable and not reader.at_eof() and not writer.transport.is_closing():
                return reader, writer
            writer.transport.abort()
        return None

    def put(self, address: _Address, stream: _Stream) -> None:
        """Keep a connection whose last answer was read whole."""
        if self._closed:
            stream[1].transport.abort()
        else:
            self._idle.setdefault(address, []).append((monotonic(), stream))

    def close(self) -> None:
        """Close all; those in use are closed after their answer."""
        self._closed = True
        for idle in self._idle.values():
            for _, (_, writer) in idle:
                writer.transport.abort()
        self._idle.clear()


_kept: ContextVar[_Connections | None] = ContextVar("kept connections", default=None)


@asynccontextmanager
async def keep_connections() -> AsyncIterator[None]:
    """Keep connections of `ask` open for the next request, until the context ends.

    An engine asks the same few ports several times a second. To open a connection costs it five
    times what the rest of a request costs, and the server as much again.
    """
    kept = _Connections()
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        kept.close()


async def _exchange(
    kept: _Connections | None, address: _Address, request: bytes, max_bytes: int
) -> Answer:
    while kept is not None and (stream := kept.take(address)) is not None:
        try:
            return await _send(kept, address, stream, request, max_bytes)
        except (_Incomplete, *_FAULTS):
            continue  # its server has closed it, or has been started again
    stream = await asyncio.open_connection(*address)
    return await _send(kept, address, stream, request, max_bytes)


async def _send(
    kept: _Connections | None,
    address: _Address,
    stream: _Stream,
    request: bytes,
    max_bytes: int,
) -> Answer:
    reader, writer = stream
    may_keep = False
    try:
        writer.write(request)
        await writer.drain()
        answer, may_keep = await _read(reader, max_bytes)
        return answer
    finally:
        if kept is not None and may_keep:
            kept.put(address, stream)
        else:
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader, max_bytes: int) -> tuple[Answer, bool]:
    """Read one answer; return it, and whether the connection can take another request."""
    answer = _Reading()
    parser = httptools.HttpResponseParser(answer)
    answer.parser = parser
    while not answer.is_whole:
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            break
        parser.feed_data(chunk)
        if len(answer.content) > max_bytes:
            raise NoAnswer(f"it is more than {max_bytes} bytes")
    if not answer.is_whole and not answer.ends_with_connection:
        raise _Incomplete("the connection was closed before the answer was whole")
    read = Answer(parser.get_status_code(), bytes(answer.content))
    return read, answer.may_keep


class _Reading:
    """The parts of the answer parsed so far."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.is_whole = False
        self.may_keep = False
        """True if the connection can take another request."""
        self.parser: httptools.HttpResponseParser | None = None
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
        # It forgets after this callback.
        self.may_keep = self.parser is not None and self.parser.should_keep_alive()
