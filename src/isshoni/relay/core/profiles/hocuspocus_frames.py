"""The messages of Hocuspocus: `name of the document, kind, …`, each a varint or a var string."""

from dataclasses import dataclass

from isshoni.session.server.yjs_update import (
    Announcement,
    encode_awareness_states,
    parse_awareness,
)
from isshoni.session.yjs_walk import BrokenUpdate

SYNC, AWARENESS, AUTH, SYNC_REPLY, STATELESS, CLOSE, SYNC_STATUS = 0, 1, 2, 4, 5, 7, 8
STEP1, STEP2, UPDATE = 0, 1, 2
"""The first number of a sync message."""
TOKEN, DENIED, ADMITTED = 0, 1, 2
"""The first number of an auth message."""
_LONGEST_VARUINT_BYTES = 5
_SCOPES = (b"readonly", b"read-write")


@dataclass(frozen=True, slots=True)
class DocumentFrame:
    """A message that belongs to one document."""

    name: bytes
    """The document, for some clients with an id of the session behind it."""
    kind: int
    step: int | None
    """The number that follows, for a message of sync or auth."""
    body: bytes
    """What follows the kind."""


def parse_document_frame(payload: bytes) -> DocumentFrame | None:
    """Return the parts of a message; None if it is none, as a ping, which has one byte."""
    try:
        name, at = _read_string(payload, 0)
        kind, at = _read_number(payload, at)
        has_step = kind in (SYNC, SYNC_REPLY, AUTH)
        step = _read_number(payload, at)[0] if has_step else None
    except ValueError:
        return None
    return DocumentFrame(name, kind, step, payload[at:])


def is_token(payload: bytes) -> bool:
    """True for the message by which a client opens a document."""
    frame = parse_document_frame(payload)
    if frame is None or frame.kind != AUTH or frame.step != TOKEN or not frame.name:
        return False
    try:
        frame.name.decode()
        _, at = _read_string(frame.body, 1)
        if at < len(frame.body):
            _, at = _read_string(frame.body, at)  # the version of the provider
    except ValueError:
        return False
    return at == len(frame.body)


def is_admission(payload: bytes) -> bool:
    """True for the message by which a program accepts a token."""
    frame = parse_document_frame(payload)
    if frame is None or frame.kind != AUTH or frame.step != ADMITTED:
        return False
    return frame.body[1:] in [bytes((len(scope),)) + scope for scope in _SCOPES]


def read_news(frame: DocumentFrame) -> list[Announcement] | None:
    """Return the announcements of an awareness message; None if it has none that can be read."""
    try:
        content, at = _read_string(frame.body, 0)
        return parse_awareness(content) if at == len(frame.body) else None
    except (ValueError, BrokenUpdate):
        return None


def make_news(name: bytes, announcements: list[Announcement]) -> bytes:
    """Return an awareness message of a document."""
    states = encode_awareness_states(announcements)
    return _make_string(name) + bytes((AWARENESS,)) + _make_string(states)


def make_saved(name: bytes) -> bytes:
    """Return the message that says that an update was applied."""
    return _make_string(name) + bytes((SYNC_STATUS, 1))


def _make_string(content: bytes) -> bytes:
    size, head = len(content), bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*head, size)) + content


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARUINT_BYTES):
        if at >= len(data):
            raise ValueError("it ends too early")
        value |= (data[at] & 0x7F) << 7 * shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("a number is too long")


def _read_string(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_number(data, at)
    if size > len(data) - at:
        raise ValueError("it ends too early")
    return data[at : at + size], at + size
