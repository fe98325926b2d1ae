"""Publications in a session's channel: a kind byte, the seq, a colon, the payload."""

from typing import Literal

from isshoni.backend.store.ports import Published

_BIRTH = ord("e")
"""A log with a new epoch was created; the payload is the epoch."""
HINT = "@"
"""Prefix of the payload of a birth that version 0.2.0 publishes in database 0 for others."""
_KINDS: dict[int, Literal["chat", "canvas", "awareness", "deleted"]] = {
    ord("c"): "chat",
    ord("y"): "canvas",
    ord("a"): "awareness",
    ord("d"): "deleted",
}
_MAX_SEQ_DIGITS = 20


def encode_awareness(payload: bytes) -> bytes:
    """Encode the publication of an awareness message."""
    return b"a0:" + payload


def parse_publication(message: bytes) -> Published | str | None:
    """Return the publication, or the epoch of a new log; None if it cannot be parsed."""
    colon = message.find(b":", 1, _MAX_SEQ_DIGITS + 2)
    digits = message[1:colon]
    if colon < 0 or not digits.isdigit():
        return None
    payload = message[colon + 1 :]
    if message[0] == _BIRTH:
        return payload.decode("ascii", "replace")
    kind = _KINDS.get(message[0])
    return None if kind is None else Published(kind, int(digits), payload)
