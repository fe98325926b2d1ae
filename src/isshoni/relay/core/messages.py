"""Join the frames of one direction to messages."""

from dataclasses import dataclass

from isshoni.relay.core.frames import Frame, FrameCutter

FRAME_BYTES = 150
"""What a frame takes in memory beside its content, at least."""


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

    __slots__ = ("_frames", "kept_bytes")

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self.kept_bytes = 0
        """The memory of an unfinished message."""

    @property
    def has_begun(self) -> bool:
        """True between the first and the last frame of a message that is kept."""
        return bool(self._frames)

    def add(self, frame: Frame) -> Message | None:
        """Return the message that this frame ends; None if more frames have to come.

        A control frame is a message of its own, also between the frames of another.
        """
        if frame.is_control or (not self._frames and (frame.is_final or not frame.opcode)):
            # Without a begin it continues a message whose begin was passed on unread.
            return Message(frame.opcode, frame.data, frame.payload)
        self._frames.append(frame)
        self.kept_bytes += len(frame.data) + FRAME_BYTES
        if not frame.is_final:
            return None
        opcode = self._frames[0].opcode
        payload = b"".join(one.payload for one in self._frames)
        return Message(opcode, self.release(), payload)

    def release(self) -> bytes:
        """Return the frames of an unfinished message, to be passed on, and forget them."""
        data = b"".join(one.data for one in self._frames)
        self._frames, self.kept_bytes = [], 0
        return data


def is_between_passed(cutter: FrameCutter, joiner: MessageJoiner) -> bool:
    """True if no message was passed on in part, so that another one may be sent now."""
    return not cutter.in_frame and (not cutter.in_message or joiner.kept_bytes > 0)
