"""The opening handshake (RFC 6455, section 4): record it, replay it, read its answer."""

from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
"""The most that a request or an answer may have before its body: as much as Envoy accepts."""
END = b"\r\n\r\n"
MOVED_FROM = b"x-isshoni-moved-from"
_NOT_PASSED = (b"sec-websocket-extensions", MOVED_FROM)
"""A compression context cannot move to another program, so extensions are not offered."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The request of a client, as the program behind the relay gets it."""

    head: bytes
    target: str
    """The path with its query."""
    is_upgrade: bool

    def replay(self, moved_from: str) -> bytes:
        """Return the request for the program that the client moves to."""
        note = MOVED_FROM + b": " + moved_from.encode("ascii") + b"\r\n"
        return self.head[:-2] + note + b"\r\n"

    def header(self, name: str) -> str | None:
        """Return the first header of this name, in any case; None if there is none."""
        return _find_header(self.head, name)


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


def read_handshake(head: bytes) -> Handshake:
    """Parse a request up to its empty line; raises `ValueError` if it is none."""
    lines = head[: -len(END)].split(b"\r\n")
    words = lines[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise ValueError(f"this is no HTTP request: {lines[0][:80]!r}")
    kept = [line for line in lines[1:] if _name(line) not in _NOT_PASSED]
    passed = b"\r\n".join([lines[0], *kept]) + END
    upgrade = _find_header(head, "upgrade") or ""
    return Handshake(passed, words[1].decode("latin-1"), upgrade.lower() == "websocket")


def read_answer(head: bytes) -> Answer:
    """Parse an answer up to its empty line; raises `ValueError` if it is none."""
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError(f"this is no HTTP answer: {head[:80]!r}")
    return Answer(head, int(words[1]), _find_header(head, "sec-websocket-protocol"))


def _name(line: bytes) -> bytes:
    return line.split(b":", 1)[0].strip().lower()


def _find_header(head: bytes, name: str) -> str | None:
    wanted = name.lower().encode("ascii")
    for line in head.split(b"\r\n")[1:]:
        if _name(line) == wanted:
            return line.split(b":", 1)[1].strip().decode("latin-1")
    return None
