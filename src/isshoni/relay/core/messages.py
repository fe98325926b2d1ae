"""Join the frames of one direction to messages."""

from dataclasses import dataclass

from isshoni.relay.core.frames import Frame


@dataclass(frozen=True, slots=True)
class Message:
    """A message, or a control frame, with the bytes in which it was received."""

    opcode: int
    data: bytes
    """Its frames, with their headers."""
    payload: bytes
    """Its content without masks."""


class MessageJoiner:
    """Collects the frames of a message until it is whole."""

    __slots__ = ("_data", "_opcode", "_payload")

    def __init__(self) -> None:
        self._opcode = 0
        self._data: list[bytes] = []
        self._payload: list[bytes] = []

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes of an unfinished message are kept."""
        return sum(map(len, self._data))

    def add(self, frame: Frame) -> Message | None:
        """Return the message that this frame ends; None if more frames have to come.

        A control frame is a message of its own, also between the frames of another.
        """
        if frame.is_control:
            return Message(frame.opcode, frame.data, frame.payload)
        if not self._data:
            if frame.is_final or not frame.opcode:
                # Without a begin it continues a message whose begin was passed on unread.
                return Message(frame.opcode, frame.data, frame.payload)
            self._opcode = frame.opcode
        self._data.append(frame.data)
        self._payload.append(frame.payload)
        if not frame.is_final:
            return None
        message = Message(self._opcode, b"".join(self._data), b"".join(self._payload))
        self._data, self._payload = [], []
        return message

    def release(self) -> bytes:
        """Return the frames of an unfinished message, to be passed on, and forget them."""
        data = b"".join(self._data)
        self._data, self._payload = [], []
        return data
