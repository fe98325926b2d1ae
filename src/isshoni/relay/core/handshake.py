"""The opening handshake (RFC 6455, section 4): record it, replay it, read its answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

MAX_HEAD_BYTES = 64 * 1024
"""The most that a request or an answer may have before its body: as much as Envoy accepts."""
END = b"\r\n\r\n"
MOVED_FROM = b"x-isshoni-moved-from"
STATE = b"x-isshoni-state"
TOKEN = b"x-isshoni-relay"
_NOT_PASSED = (b"sec-websocket-extensions", MOVED_FROM, STATE, TOKEN)
"""A compression context cannot move to another program, so extensions are not offered. The rest
is the relay's own: a client must not claim it."""
MAX_BODY_BYTES = 1 << 20
"""Of a request of a Socket.IO client that polls: its servers accept a million by default."""
_SESSION = re.compile(rb"(?<=[?&])sid=[^& ]*&?")
SERVER_ERROR = 500
"""From this status on, an answer says that the program failed."""
_LINES = {
    400: b"400 Bad Request",
    408: b"408 Request Timeout",
    413: b"413 Content Too Large",
    431: b"431 Request Header Fields Too Large",
    502: b"502 Bad Gateway",
}


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request of a client, as the program behind the relay gets it."""

    head: bytes
    target: str
    """The path with its query."""
    is_upgrade: bool
    token: bytes = b""
    """Known to the relay and the programs alone; the same for all programs of the client."""
    carried: bytearray = field(default_factory=bytearray)
    """The state that a program keeps for the connection, signed; it goes to the next program."""
    body: bytes | None = None
    """Of a request of a Socket.IO client that polls; None for all others."""

    @property
    def request(self) -> bytes:
        """Return the request with its body."""
        return self.head + (self.body or b"")

    def replay(self, moved_from: str) -> "Handshake":
        """Return the request for the program that the client moves to."""
        added = MOVED_FROM + b": " + moved_from.encode("ascii") + b"\r\n"
        if self.carried:
            added += STATE + b": " + bytes(self.carried) + b"\r\n"
        line, rest = self.head[:-2].split(b"\r\n", 1)
        if find_polled(self.target) is not None:
            line = _SESSION.sub(b"", line)  # the new program does not know the session
        return replace(self, head=line + b"\r\n" + rest + added + b"\r\n")

    def header(self, name: str) -> str | None:
        """Return the first header of this name, in any case; None if there is none."""
        return _find_header(self.head, name)

    def headers(self, name: str) -> list[str]:
        """Return every header of this name, in any case."""
        return list(_find_headers(self.head, name))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a program to a handshake."""

    head: bytes
    status: int
    subprotocol: str | None

    @property
    def is_open(self) -> bool:
        """True if the WebSocket is open."""
        return self.status == 101

    @property
    def reports_state(self) -> bool:
        """True if the program will report a state of the connection."""
        return _find_header(self.head, STATE.decode()) is not None

    @property
    def is_server_error(self) -> bool:
        """True if the program failed."""
        return self.status >= SERVER_ERROR

    @property
    def is_interim(self) -> bool:
        """True if another answer follows."""
        return 100 <= self.status < 200 and not self.is_open

    @property
    def last_head(self) -> bytes:
        """Return the answer as the last one of its connection."""
        return self.head if self.is_interim else _close_after(self.head)


def find_polled(target: str) -> str | None:
    """Return the session of a Socket.IO transport that began as long polling, if it is one."""
    query = parse_qs(urlsplit(target).query)
    return query["sid"][-1] if query.get("EIO") == ["4"] and "sid" in query else None


class TooLarge(Exception):
    """A request has more than the relay keeps."""

    def __init__(self, status: int, what: str, most_bytes: int) -> None:
        self.status = status
        super().__init__(f"the {what} has more than {most_bytes} bytes")


def cut_request(data: bytearray) -> tuple[bytes, bytes | None, bytes] | None:
    """Return the head of a request, its body, and what follows; None if more has to come.

    Only a polling client's request is read with its body: for others that is None. Raises
    `TooLarge`.
    """
    end = data.find(END)
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise TooLarge(431, "handshake", MAX_HEAD_BYTES)
        return None
    head, rest = bytes(data[: end + len(END)]), bytes(data[end + len(END) :])
    length = _find_body_bytes(head)
    if length > MAX_BODY_BYTES:
        raise TooLarge(413, "request", MAX_BODY_BYTES)
    if len(rest) < length:
        return None
    return head, rest[:length] if length else None, rest[length:]


def _find_body_bytes(head: bytes) -> int:
    target = head.split(b" ", 2)[1].decode("latin-1") if head.startswith(b"POST ") else ""
    length = _find_header(head, "content-length") or ""
    return int(length) if find_polled(target) is not None and length.isdecimal() else 0


def read_handshake(head: bytes, token: bytes = b"", body: bytes | None = None) -> Handshake:
    """Parse a request up to its empty line; raises `ValueError` if it is none.

    The program gets `token`, in hexadecimal digits, if it is asked for a WebSocket.
    """
    lines = head[: -len(END)].split(b"\r\n")
    words = lines[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise ValueError(f"this is no HTTP request: {lines[0][:80]!r}")
    if any(line[:1] in (b" ", b"\t") for line in lines[1:]):
        raise ValueError("a header continues on a second line (RFC 9112, 5.2)")
    bare = next((line for line in lines if b"\n" in line or b"\r" in line), None)
    if bare is not None:
        # A program may see two headers where the relay sees one, which it would not remove.
        raise ValueError(f"a line ends with half of CR LF: {bare[:80]!r}")
    kept = [line for line in lines[1:] if _name(line) not in _NOT_PASSED]
    upgrades = (_find_header(head, "upgrade") or "").lower().split(",")
    is_upgrade = "websocket" in [name.strip() for name in upgrades]
    if token and is_upgrade:
        kept.append(TOKEN + b": " + token)
    passed = b"\r\n".join([lines[0], *kept]) + END
    if not is_upgrade and body is None and _has_body(head):
        raise ValueError(
            "a request with a body cannot pass the door of a relay, which is for WebSockets: "
            "send it to the program's own address"
        )
    if not is_upgrade:
        passed = _close_after(passed)
    target, token = words[1].decode("latin-1"), token if is_upgrade else b""
    return Handshake(passed, target, is_upgrade, token, body=None if is_upgrade else body)


def read_answer(head: bytes) -> Answer:
    """Parse an answer up to its empty line; raises `ValueError` if it is none."""
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError(f"this is no HTTP answer: {head[:80]!r}")
    return Answer(head, int(words[1]), _find_header(head, "sec-websocket-protocol"))


def _has_body(head: bytes) -> bool:
    length = _find_header(head, "content-length") or "0"
    return length != "0" or _find_header(head, "transfer-encoding") is not None


def make_refusal(status: int, reason: str) -> bytes:
    """Return the answer to a client that gets no WebSocket."""
    body = reason.encode("utf-8", "replace") + b"\n"
    return (
        b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (_LINES[status], len(body), body)
    )


def _close_after(head: bytes) -> bytes:
    """Return a request or an answer that is the last one of its connection."""
    lines = head[: -len(END)].split(b"\r\n")
    kept = [line for line in lines if _name(line) not in (b"connection", b"keep-alive")]
    return b"\r\n".join([*kept, b"Connection: close"]) + END


def _name(line: bytes) -> bytes:
    return line.split(b":", 1)[0].strip().lower()


def _find_header(head: bytes, name: str) -> str | None:
    return next(_find_headers(head, name), None)


def _find_headers(head: bytes, name: str) -> Iterator[str]:
    wanted = name.lower().encode("ascii")
    for line in head.split(b"\r\n")[1:]:
        if _name(line) == wanted:
            yield line.partition(b":")[2].strip().decode("latin-1")
