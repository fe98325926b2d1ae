"""A frame to be sent: encoded once for a session, not once for each connection."""

from dataclasses import dataclass

from starlette.types import Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An ASGI message that is ready to be sent, and its size."""

    message: Message
    size_bytes: int

    @classmethod
    def text(cls, frame: bytes) -> "Outgoing":
        """Make a text frame of UTF-8 JSON."""
        return cls({"type": "websocket.send", "text": frame.decode()}, len(frame))

    @classmethod
    def binary(cls, frame: bytes) -> "Outgoing":
        """Make a binary frame."""
        return cls({"type": "websocket.send", "bytes": frame}, len(frame))
