"""Frames to be sent: encoded to WebSocket bytes once for a session, not once a connection."""

from typing import Protocol

import msgspec
from starlette.types import Message

from isshoni.session.messages import ChatEvents, encode

BATCH_BYTES = 64 << 10
"""A batch of this size is full; later frames begin another one."""
_TEXT, _BINARY = 0x81, 0x82


def encode_frame(head: int, payload: bytes) -> bytes:
    """Return a whole frame of a server; `head` is its first byte (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"%c%c%b" % (head, size, payload)
    if size < 1 << 16:
        return b"%c\x7e%b%b" % (head, size.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (head, size.to_bytes(8, "big"), payload)


class Sendable(Protocol):
    """One or more frames to one connection."""

    @property
    def size_bytes(self) -> int:
        """The number of bytes known so far."""

    def seal(self) -> bytes:
        """Return the frames as WebSocket bytes; nothing can be added from now on."""

    def messages(self) -> list[Message]:
        """Return the frames as ASGI messages; nothing can be added from now on."""


class Outgoing:
    """One frame."""

    __slots__ = ("_frame", "_head", "payload")

    def __init__(self, head: int, payload: bytes) -> None:
        self._head = head
        self._frame: bytes | None = None
        self.payload = payload

    @classmethod
    def text(cls, payload: bytes) -> "Outgoing":
        """Make a text frame of UTF-8 JSON."""
        return cls(_TEXT, payload)

    @classmethod
    def binary(cls, payload: bytes) -> "Outgoing":
        """Make a binary frame."""
        return cls(_BINARY, payload)

    @property
    def size_bytes(self) -> int:
        """The size of the payload."""
        return len(self.payload)

    def seal(self) -> bytes:
        """Return the frame as WebSocket bytes."""
        if self._frame is None:
            self._frame = encode_frame(self._head, self.payload)
        return self._frame

    def messages(self) -> list[Message]:
        """Return the frame as an ASGI message."""
        if self._head == _TEXT:
            return [{"type": "websocket.send", "text": self.payload.decode()}]
        return [{"type": "websocket.send", "bytes": self.payload}]


class Batch:
    """The frames that several connections are sent in one turn of the event loop.

    It is queued once at each connection and grows until the first of them is written: each
    later frame costs the same whatever the number of connections.
    """

    __slots__ = ("_frames", "_is_sealed", "_joined", "size_bytes")

    def __init__(self, first: Outgoing) -> None:
        self._frames = [first]
        self._is_sealed = False
        self._joined: bytes | None = None
        self.size_bytes = first.size_bytes

    @property
    def is_open(self) -> bool:
        """True while frames can be added."""
        return not self._is_sealed and self.size_bytes < BATCH_BYTES

    def add(self, outgoing: Outgoing) -> None:
        """Add a frame after those that it has."""
        self._frames.append(outgoing)
        self.size_bytes += outgoing.size_bytes

    def seal_payloads(self) -> list[bytes]:
        """Return the payload of each frame; nothing can be added from now on."""
        self._is_sealed = True
        return [frame.payload for frame in self._frames]

    def seal(self) -> bytes:
        """Return all frames as WebSocket bytes; nothing can be added from now on."""
        if self._joined is None:
            self._is_sealed = True
            self._joined = b"".join([frame.seal() for frame in self._frames])
        return self._joined

    def messages(self) -> list[Message]:
        """Return the frames as ASGI messages; nothing can be added from now on."""
        self._is_sealed = True
        return [message for frame in self._frames for message in frame.messages()]


class JointFrame:
    """The chat events of a batch in one text frame; a single one is sent as it is."""

    __slots__ = ("_batch", "_frame")

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._frame: Outgoing | None = None

    @property
    def size_bytes(self) -> int:
        """The size of the events known so far."""
        return self._batch.size_bytes

    def seal(self) -> bytes:
        """Return the frame as WebSocket bytes; nothing can be added from now on."""
        return self._make().seal()

    def messages(self) -> list[Message]:
        """Return the frame as an ASGI message; nothing can be added from now on."""
        return self._make().messages()

    def _make(self) -> Outgoing:
        if self._frame is None:
            events = self._batch.seal_payloads()
            together = len(events) > 1
            joint = ChatEvents([msgspec.Raw(event) for event in events])
            self._frame = Outgoing.text(encode(joint) if together else events[0])
        return self._frame
