"""Parse the WebSocket frames of one client (RFC 6455), without I/O."""

import msgspec
from websockets.frames import EXTERNAL_CLOSE_CODES

from isshoni.session.close_codes import CloseCode

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this machine
    from websockets.utils import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FINAL, _MASKED, _RESERVED, _CONTROL = 0x80, 0x80, 0x70, 0x08
_WHOLE_TEXT, _WHOLE_BINARY = _FINAL | TEXT, _FINAL | BINARY
_MAX_CONTROL_BYTES = 125
_PROTOCOL_ERROR, _INVALID_DATA, _NO_STATUS = 1002, 1007, 1005


class Control(msgspec.Struct, frozen=True, gc=False):
    """A ping, pong or close frame."""

    opcode: int
    payload: bytes
    code: int = 0
    """The code of a close frame; 1005 if it has none."""


class BrokenFrame(Exception):
    """A frame that breaks the rules; the connection is closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


Received = str | bytes | Control


class FrameReader:
    """Turns bytes into messages and control frames; keeps what is not complete."""

    __slots__ = ("_buffer", "_is_text", "_limit_bytes", "_needed", "_parts", "_size", "fault")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._buffer: bytearray | None = None
        self._needed = 0
        """The number of buffered bytes with which the next frame may be complete."""
        self._parts: list[bytes] | None = None
        """The frames of a fragmented message whose last one has not arrived."""
        self._size = 0
        self._is_text = False
        self.fault: BrokenFrame | None = None
        """Set once a frame breaks the rules; later bytes are dropped."""

    @property
    def kept_bytes(self) -> int:
        """The bytes of a message that is not complete."""
        return self._size + len(self._buffer or b"")

    def clear(self) -> None:
        """Forget what is not complete, when nothing more is read."""
        self._buffer, self._parts, self._size = None, None, 0

    def feed(self, data: bytes) -> list[Received]:
        """Return what is complete now; sets `fault` at the first frame that breaks the rules."""
        if self.fault is not None:
            return []
        arrived: bytes | bytearray = data
        if self._buffer is not None:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            arrived, self._buffer = self._buffer, None
        received: list[Received] = []
        try:
            at = self._read_all(arrived, received)
        except BrokenFrame as fault:
            self.fault, self._parts = fault, None
            return received
        if at < len(arrived):
            self._needed -= at
            self._buffer = bytearray(memoryview(arrived)[at:])
        return received

    def _read_all(self, data: bytes | bytearray, received: list[Received]) -> int:
        """Append every complete message; return where the first incomplete frame begins."""
        at, end = 0, len(data)
        while at < end:
            self._needed = at + 2
            if end < self._needed:
                break
            first, size, begin = data[at], data[at + 1] ^ _MASKED, at + 6
            is_whole = first == _WHOLE_TEXT or first == _WHOLE_BINARY
            if not is_whole or size & _MASKED or self._parts is not None:
                self._check_head(first, size)
            if size == 126:
                begin = at + 8
                if end < begin:
                    self._needed = begin
                    break
                size = int.from_bytes(data[at + 2 : at + 4], "big")
            elif size == 127:
                begin = at + 14
                if end < begin:
                    self._needed = begin
                    break
                size = int.from_bytes(data[at + 2 : at + 10], "big")
            if not first & _CONTROL and self._size + size > self._limit_bytes:
                reason = f"a frame may have at most {self._limit_bytes} bytes: split it"
                raise BrokenFrame(CloseCode.TOO_LARGE, reason)
            self._needed = begin + size
            if end < self._needed:
                break
            at = begin + size
            payload = apply_mask(data[begin:at], data[begin - 4 : begin])
            if first == _WHOLE_TEXT:
                received.append(_decode(payload))
            elif first == _WHOLE_BINARY:
                received.append(payload)
            else:
                self._add(first, payload, received)
        return at

    def _check_head(self, first: int, size: int) -> None:
        """Raise `BrokenFrame` unless a frame may begin like this (`size`: without the mask bit)."""
        if size & _MASKED:
            raise BrokenFrame(_PROTOCOL_ERROR, "incorrect masking")
        if first in (_WHOLE_TEXT, _WHOLE_BINARY) and self._parts is None:
            return
        opcode = first & 0x0F
        if first & _RESERVED:
            raise BrokenFrame(_PROTOCOL_ERROR, "reserved bits must be 0")
        if opcode & _CONTROL:
            if opcode not in (CLOSE, PING, PONG):
                raise BrokenFrame(_PROTOCOL_ERROR, "invalid opcode")
            if size > _MAX_CONTROL_BYTES or not first & _FINAL:
                raise BrokenFrame(_PROTOCOL_ERROR, "control frame too long, or fragmented")
        elif opcode > BINARY:
            raise BrokenFrame(_PROTOCOL_ERROR, "invalid opcode")
        elif (opcode == CONTINUATION) != (self._parts is not None):
            expected = "expected" if self._parts is not None else "unexpected"
            raise BrokenFrame(_PROTOCOL_ERROR, f"{expected} continuation frame")

    def _add(self, first: int, payload: bytes, received: list[Received]) -> None:
        opcode, is_final = first & 0x0F, first & _FINAL
        if opcode & _CONTROL:
            code = 0
            if opcode == CLOSE:
                code = _parse_close(payload)
                if self._parts is not None:
                    raise BrokenFrame(_PROTOCOL_ERROR, "incomplete fragmented message")
            received.append(Control(opcode, payload, code))
            return
        if self._parts is None:
            if is_final:
                received.append(payload)
                return
            self._parts, self._is_text = [], opcode == TEXT
        self._parts.append(payload)
        self._size += len(payload)
        if is_final:
            message = b"".join(self._parts)
            self._parts, self._size = None, 0
            received.append(_decode(message) if self._is_text else message)


def _decode(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise BrokenFrame(_INVALID_DATA, "this text is not UTF-8") from None


def _parse_close(payload: bytes) -> int:
    """Return the code of a close frame; raises `BrokenFrame`."""
    if not payload:
        return _NO_STATUS
    _decode(payload[2:])
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000):
        raise BrokenFrame(_PROTOCOL_ERROR, "invalid status code")
    return code
