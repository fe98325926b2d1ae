"""Frames made and read without the relay's own code, broken ones too."""

from dataclasses import dataclass

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    key: bytes | None = KEY,
    declared: int | None = None,
) -> bytes:
    """Return a frame; `declared` is a wrong length, `key` None leaves out the mask."""
    size = len(payload) if declared is None else declared
    masked = 0 if key is None else 0x80
    first = (0x80 if final else 0) | reserved << 4 | opcode
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 1 << 16:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return head + payload if key is None else head + key + mask(payload, key)


def mask(payload: bytes, key: bytes) -> bytes:
    """Return the payload with a mask, or without the one it has."""
    long = int.from_bytes((key * (len(payload) // 4 + 1))[: len(payload)], "big")
    return (int.from_bytes(payload, "big") ^ long).to_bytes(len(payload), "big")


def close(code: int | None = 1000, reason: bytes = b"", *, key: bytes | None = KEY) -> bytes:
    """Return a close frame."""
    payload = b"" if code is None else code.to_bytes(2, "big") + reason
    return frame(CLOSE, payload, key=key)


@dataclass(frozen=True)
class Found:
    """A frame that was read."""

    data: bytes
    opcode: int
    final: bool
    payload: bytes


def split_frames(data: bytes) -> tuple[list[Found], bytes]:
    """Return the whole frames in `data`, and the rest."""
    found, at = [], 0
    while len(data) - at >= 2:
        size, head = data[at + 1] & 0x7F, 2
        if size > 125:
            head = 4 if size == 126 else 10
            if len(data) - at < head:
                break
            size = int.from_bytes(data[at + 2 : at + head], "big")
        masked = bool(data[at + 1] & 0x80)
        begin = at + head + 4 * masked
        end = begin + size
        if end > len(data):
            break
        payload = data[begin:end]
        if masked:
            payload = mask(payload, data[begin - 4 : begin])
        first = data[at]
        found.append(Found(data[at:end], first & 0x0F, bool(first & 0x80), payload))
        at = end
    return found, data[at:]


@dataclass
class View:
    """What one end of a connection saw, without the order of messages against control frames."""

    messages: list[tuple[int, bytes]]
    pings: list[bytes]
    pongs: list[bytes]
    closes: list[bytes]
    rest: bytes
    """An unfinished message or frame at the end."""


def read_view(data: bytes) -> View:
    """Return the messages and control frames in the bytes of one direction."""
    frames, rest = split_frames(data)
    view = View([], [], [], [], rest)
    opcode, parts = 0, b""
    for one in frames:
        if one.opcode == CLOSE:
            view.closes.append(one.payload)
        elif one.opcode == PING:
            view.pings.append(one.payload)
        elif one.opcode == PONG:
            view.pongs.append(one.payload)
        else:
            opcode = one.opcode or opcode
            parts += one.payload
            if one.final:
                view.messages.append((opcode, parts))
                opcode, parts = 0, b""
    view.rest = parts + rest
    return view
