"""Find the frames in the bytes of one direction of a WebSocket (RFC 6455, section 5.2).

Frames stay as they are, masked or not; only their headers are read. What breaks the rules passes
unread, at once and with all that follows, so that its receiver refuses it as without a relay.
"""

from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80
_LONGEST_HEAD_BYTES = 14
_MOST_OF_CONTROL = 125
_FIRST_BYTES = frozenset((0, 1, 2, 128, 129, 130, 136, 137, 138))
"""Of a frame that keeps the rules: no reserved bit or opcode, no control frame in fragments."""


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


class FrameCutter:
    """Follows the frames of one direction, or cuts them out one by one.

    `follow` is for bytes that are passed on as they come, in pieces of any size. `cut` keeps a
    frame until it is whole. The caller may change between the two at any byte.
    """

    __slots__ = ("_begun", "_kept", "_left", "closing", "in_message", "is_broken")

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
        self.is_broken = False
        """True once a frame broke the rules: all that is kept, and that comes, is passed on."""

    @property
    def at_boundary(self) -> bool:
        """True between two messages."""
        return not (self.in_message or self.in_frame or self._kept)

    @property
    def in_frame(self) -> bool:
        """True if a frame was passed on in part."""
        return bool(self._left or self._begun or self.is_broken)

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes of an unfinished frame are kept."""
        return len(self._kept)

    def follow(self, data: bytes) -> None:
        """Follow bytes that the caller passes on."""
        if self._left >= len(data):
            self._left -= len(data)
            return
        if self.is_broken:
            return
        data = self._begun + data[self._left :]
        self._begun, self._left, at = b"", 0, 0
        while at < len(data):
            sizes = self._measure(data, at)
            if sizes is None:
                self._begun = data[at:]
                return
            if not self._enter(data[at]):
                return
            at += sizes[0] + sizes[1]
        self._left = at - len(data)

    def cut(self, data: bytes) -> tuple[bytes, list[Frame]]:
        """Return the rest of a frame that was passed on in part, and the whole frames after it.

        Once `is_broken` is true the caller has to `release` what is kept.
        """
        rest = self._rest_of_passed(data)
        self._kept += data[len(rest) :]
        frames: list[Frame] = []
        at = 0
        while not self.is_broken and (sizes := self._measure(self._kept, at)) is not None:
            end = at + sizes[0] + sizes[1]
            self.is_broken = not self._may_come(self._kept[at])
            if self.is_broken or len(self._kept) < end:
                break
            self._enter(self._kept[at])
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
        if self.is_broken:
            return data
        if not (self._begun or self._left):
            return b""
        if self._begun:
            head = self._begun + data[:_LONGEST_HEAD_BYTES]
            sizes = self._measure(head, 0)
            if sizes is None:
                self._begun = head
                return data
            if not self._enter(head[0]):
                return data
            self._left, self._begun = sum(sizes) - len(self._begun), b""
        rest = data[: self._left]
        self._left -= len(rest)
        return rest

    def _measure(self, data: bytes | bytearray, at: int) -> tuple[int, int] | None:
        """Return the sizes of the header and the payload of the frame at `at`; None if cut off."""
        here = len(data) - at
        if here < 2:
            return None
        size, head = data[at + 1] & 0x7F, 2
        if size > _MOST_OF_CONTROL:
            head = 4 if size == 126 else 10
            self.is_broken = data[at] & 0x0F >= CLOSE
            if self.is_broken or here < head:
                return None
            size = int.from_bytes(data[at + 2 : at + head], "big")
        return head + (4 if data[at + 1] & _MASKED else 0), size

    def _may_come(self, first_byte: int) -> bool:
        """True if a frame with this first byte keeps the rules here."""
        opcode = first_byte & 0x0F
        is_known = first_byte in _FIRST_BYTES
        return is_known and (opcode >= CLOSE or bool(opcode) != self.in_message)

    def _enter(self, first_byte: int) -> bool:
        """Follow the header of a frame; False if it breaks the rules."""
        self.is_broken = not self._may_come(first_byte)
        opcode = first_byte & 0x0F
        if opcode < CLOSE:
            self.in_message = not first_byte & _FINAL
        elif opcode == CLOSE:
            self.closing = True
        return not self.is_broken
