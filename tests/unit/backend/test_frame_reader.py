"""Frames of clients: the same as the `websockets` library reads, however the bytes are cut."""

import random
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from isshoni.backend.process.frame_reader import Control, FrameReader, Received

LIMIT_BYTES = 1000


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = bytes([size % 251, 7, 0, 255])
    content = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 * fin | opcode]) + length + mask + content


def read(data: bytes, *cuts: int) -> tuple[list[Received], int | None]:
    reader, received, at = FrameReader(LIMIT_BYTES), list[Received](), 0
    for cut in (*sorted(cuts), len(data)):
        received += reader.feed(data[at:cut])
        at = cut
    return received, reader.fault.code if reader.fault else None


def read_with_websockets(data: bytes) -> tuple[list[Any], int | None]:
    """Return the messages and control frames that the library reads, and its close code."""
    protocol = Protocol(SERVER, state=OPEN, max_size=LIMIT_BYTES)
    protocol.receive_data(data)
    received: list[Any] = []
    parts: list[bytes] = []
    is_text = False
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                is_text = frame.opcode is Opcode.TEXT
            parts.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(parts)
                parts.clear()
                try:
                    received.append(message.decode() if is_text else message)
                except UnicodeDecodeError:  # uvicorn closes with 1007
                    return received, 1007
        else:
            received.append((int(frame.opcode), bytes(frame.data)))
            if frame.opcode is Opcode.CLOSE:
                break
    code = protocol.close_sent.code if protocol.parser_exc and protocol.close_sent else None
    return received, 4413 if code == 1009 else code


def plain(received: list[Received]) -> list[Any]:
    return [(one.opcode, one.payload) if isinstance(one, Control) else one for one in received]


def test_a_fragmented_text_with_a_ping_within_is_one_message() -> None:
    data = (
        masked(1, "한".encode()[:2], fin=False)
        + masked(9, b"ping")
        + masked(0, "한".encode()[2:], fin=False)
        + masked(0, b"!")
        + masked(2, b"")
    )
    expected = [(9, b"ping"), "한!", b""]
    for cut in range(len(data)):
        received, fault = read(data, cut)
        assert (plain(received), fault) == (expected, None)


@pytest.mark.parametrize("size", [0, 125, 126, 127, 999, 1000])
def test_every_form_of_length_is_read(size: int) -> None:
    data = masked(2, b"x" * size) + masked(1, b"end")
    assert read(data, 1, 3, 9)[0] == [b"x" * size, "end"]
    # A length may take more bytes than it needs.
    long_form = b"\x82\xff" + size.to_bytes(8, "big") + b"\0\0\0\0" + b"x" * size
    assert read(long_form, 7)[0] == [b"x" * size]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01x", 1002),  # not masked
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # no such opcode
        (b"\x8b\x80\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (b"\x09\x80\0\0\0\0", 1002),  # a fragmented ping
        (b"\x89\xfe\0\x7e\0\0\0\0", 1002),  # a ping of 126 bytes
        (masked(1, b"a", fin=False) + masked(1, b"b"), 1002),
        (masked(1, b"\xff"), 1007),
        (masked(1, b"\xe2", fin=False) + masked(0, b"x"), 1007),
        (b"\x82\xfe\x03\xe9", None),  # the rest of the length decides
        (b"\x82\xfe\x03\xe9\0\0\0\0", 4413),
        (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 4413),
        (masked(2, b"x" * 600, fin=False) + masked(0, b"x" * 401), 4413),
        (masked(8, b"\x03"), 1002),
        (masked(8, b"\x03\xed"), 1002),  # 1005 is not for the wire
        (masked(8, b"\x03\xe8\xff"), 1007),
    ],
)
def test_a_frame_that_breaks_the_rules_has_a_close_code(data: bytes, code: int | None) -> None:
    before = masked(1, b"good")
    received, fault = read(before + data)
    assert fault == code
    assert received[0] == "good"


def test_close_codes_are_read() -> None:
    for payload, code in ((b"", 1005), (b"\x03\xe8bye", 1000), (b"\x0f\xa0", 4000)):
        (close,), _ = read(masked(8, payload))
        assert close == Control(8, payload, code)


@pytest.mark.parametrize("seed", range(300))
def test_any_bytes_are_read_as_the_library_reads_them(seed: int) -> None:
    rng = random.Random(seed)
    data = b""
    for _ in range(rng.randrange(1, 8)):
        payload = rng.choice([b"", b"text", "한글".encode(), rng.randbytes(rng.randrange(200))])
        opcode = rng.choice([0, 1, 1, 2, 2, 9, 10])
        data += masked(opcode, payload[:125] if opcode > 2 else payload, fin=rng.random() < 0.7)
    if rng.random() < 0.5:
        data += masked(8, rng.choice([b"", b"\x03\xe8", b"\x0b\xb8why", rng.randbytes(3)]))
    if rng.random() < 0.5:
        at = rng.randrange(len(data))
        data = data[:at] + rng.randbytes(1) + data[at + 1 :]
    received, fault = read(data, *(rng.randrange(len(data) + 1) for _ in range(3)))
    expected, expected_fault = read_with_websockets(data)
    closed = [i for i, one in enumerate(received) if isinstance(one, Control) and one.opcode == 8]
    if closed:  # the library reads nothing after a close frame; here the caller drops it
        received, fault = received[: closed[0] + 1], fault if fault == expected_fault else None
    assert plain(received)[: len(expected)] == expected
    assert fault == expected_fault
