"""A frame on its way out: encoded once a session, not once a connection."""

from dataclasses import dataclass

from starlette.types import Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An ASGI message ready to be sent, and what it weighs."""

    message: Message
    size_bytes: int

    @classmethod
    def text(cls, frame: bytes) -> "Outgoing":
        """Make a text frame out of UTF-8 JSON."""
        return cls({"type": "websocket.send", "text": frame.decode()}, len(frame))

    @classmethod
    def binary(cls, frame: bytes) -> "Outgoing":
        """Make a binary frame."""
        return cls({"type": "websocket.send", "bytes": frame}, len(frame))
