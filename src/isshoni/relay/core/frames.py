"""Find the frames in the bytes of one direction of a WebSocket (RFC 6455, section 5.2).

Frames stay as they are, masked or not; only their headers are read. Nothing is checked that
the two ends check themselves: what breaks the rules passes, and its receiver refuses it.
"""

from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80
_LONGEST_HEAD_BYTES = 14


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame, as it was received."""

    data: bytes
    head_bytes: int
    """The size of its header, with the key of the mask."""

    @property
    def opcode(self) -> int:
        """Return the kind of frame; 0 continues a message."""
        return self.data[0] & 0x0F

    @property
    def is_control(self) -> bool:
        """True for close, ping and pong, which may come between the frames of a message."""
        return self.opcode >= CLOSE

    @property
    def is_final(self) -> bool:
        """True for the last frame of a message."""
        return bool(self.data[0] & _FINAL)

    @property
    def payload(self) -> bytes:
        """Return the payload without its mask."""
        content = self.data[self.head_bytes :]
        if not self.data[1] & _MASKED:
            return content
        return _apply_mask(content, self.data[self.head_bytes - 4 : self.head_bytes])


def make_frame(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """Return a frame with a whole message.

    `key` is the mask of a client's frame, 4 random bytes; a server's frame has none.
    """
    size, bit = len(payload), _MASKED if key else 0
    if size < 126:
        head = bytes((_FINAL | opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((_FINAL | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, bit | 127)) + size.to_bytes(8, "big")
    return head + key + (_apply_mask(payload, key) if key else payload)


def _apply_mask(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    if not size or key == b"\0\0\0\0":
        return payload
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")


def _measure(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Return the sizes of the header and the payload of the frame at `at`; None if cut off."""
    here = len(data) - at
    if here < 2:
        return None
    size, head = data[at + 1] & 0x7F, 2
    if size == 126:
        head = 4
    elif size == 127:
        head = 10
    if here < head:
        return None
    if head > 2:
        size = int.from_bytes(data[at + 2 : at + head], "big")
    return head + (4 if data[at + 1] & _MASKED else 0), size


class FrameCutter:
    """Follows the frames of one direction, or cuts them out one by one.

    `follow` is for bytes that are passed on as they come, in pieces of any size. `cut` keeps a
    frame until it is whole. The caller may change between the two at any byte.
    """

    __slots__ = ("_begun", "_kept", "_left", "closing", "in_message")

    def __init__(self) -> None:
        self._begun = b""
        """The cut off header of a frame that was passed on so far."""
        self._left = 0
        """Bytes still to come of a frame that is passed on."""
        self._kept = bytearray()
        """The beginning of a frame that is cut out."""
        self.in_message = False
        """True between the first and the last frame of a message."""
        self.closing = False
        """True once a close frame was seen."""

    @property
    def at_boundary(self) -> bool:
        """True between two messages."""
        return not (self.in_message or self._left or self._begun or self._kept)

    @property
    def in_frame(self) -> bool:
        """True if a frame was passed on in part."""
        return bool(self._left or self._begun)

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes of an unfinished frame are kept."""
        return len(self._kept)

    def follow(self, data: bytes) -> None:
        """Follow bytes that the caller passes on."""
        if self._left >= len(data):
            self._left -= len(data)
            return
        data = self._begun + data[self._left :]
        self._begun, self._left, at = b"", 0, 0
        while at < len(data):
            sizes = _measure(data, at)
            if sizes is None:
                self._begun = data[at:]
                return
            self._note(data[at])
            at += sum(sizes)
        self._left = at - len(data)

    def cut(self, data: bytes) -> tuple[bytes, list[Frame]]:
        """Return the rest of a frame that was passed on in part, and the whole frames after it."""
        rest = self._rest_of_passed(data)
        self._kept += data[len(rest) :]
        frames, at = [], 0
        while (sizes := _measure(self._kept, at)) is not None:
            end = at + sum(sizes)
            if len(self._kept) < end:
                break
            self._note(self._kept[at])
            frames.append(Frame(bytes(self._kept[at:end]), sizes[0]))
            at = end
        if at:
            del self._kept[:at]
        return rest, frames

    def release(self) -> bytes:
        """Return what is kept of an unfinished frame, to be passed on; then follow."""
        kept = bytes(self._kept)
        self._kept.clear()
        self.follow(kept)
        return kept

    def _rest_of_passed(self, data: bytes) -> bytes:
        """Return the bytes of `data` that end a frame which was begun by `follow`."""
        if not (self._begun or self._left):
            return b""
        if self._begun:
            head = self._begun + data[:_LONGEST_HEAD_BYTES]
            sizes = _measure(head, 0)
            if sizes is None:
                self._begun = head
                return data
            self._note(head[0])
            self._left, self._begun = sum(sizes) - len(self._begun), b""
        rest = data[: self._left]
        self._left -= len(rest)
        return rest

    def _note(self, first_byte: int) -> None:
        opcode = first_byte & 0x0F
        if opcode < CLOSE:
            self.in_message = not first_byte & _FINAL
        elif opcode == CLOSE:
            self.closing = True
