"""The lean wire's reader of frames: any cut of the bytes gives the same messages."""

import pytest
from websockets.frames import Frame, Opcode

from isshoni.verify.lean_wire import BrokenFrame, FrameReader

MAX_BYTES = 100_000


def _encode(opcode: int, payload: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=mask)


def _read(*pieces: bytes) -> list[tuple[int, bytes]]:
    reader = FrameReader(MAX_BYTES)
    return [message for piece in pieces for message in reader.read(piece)]


SENT = [(1, b"hello"), (2, b""), (2, b"x" * 125), (1, b"y" * 126), (9, b"?"), (2, b"z" * 70_000)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 4096, 1_000_000])
def test_messages_are_the_same_however_the_bytes_arrive(size: int) -> None:
    stream = b"".join(_encode(opcode, payload) for opcode, payload in SENT)
    assert _read(*(stream[at : at + size] for at in range(0, len(stream), size))) == SENT


def test_fragments_are_joined_and_a_ping_between_them_comes_at_once() -> None:
    pieces = [
        _encode(1, b"one ", fin=False),
        _encode(9, b"?"),
        _encode(0, b"two ", fin=False),
        _encode(0, b"three"),
        _encode(2, b"next"),
    ]
    assert _read(b"".join(pieces)) == [(9, b"?"), (1, b"one two three"), (2, b"next")]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (_encode(1, b"masked", mask=True), 1002),
        (b"\xc1\x00", 1002),
        (b"\x83\x00", 1002),
        (_encode(0, b"a fragment of nothing"), 1002),
        (_encode(1, b"", fin=False) + _encode(1, b"a message within another"), 1002),
        (b"\x09\x00", 1002),
        (b"\x82\x7f" + (MAX_BYTES + 1).to_bytes(8, "big"), 1009),
        (_encode(2, bytes(60_000), fin=False) + _encode(0, bytes(60_000)), 1009),
    ],
    ids=[
        "masked",
        "reserved bit",
        "unknown opcode",
        "no beginning",
        "no end",
        "fragmented ping",
        "too long",
        "fragments too long",
    ],
)
def test_what_the_rfc_forbids_ends_the_connection(stream: bytes, code: int) -> None:
    with pytest.raises(BrokenFrame) as found:
        _read(_encode(2, b"before") + stream)
    assert found.value.code == code


def test_messages_before_a_broken_frame_are_read() -> None:
    messages = FrameReader(MAX_BYTES).read(_encode(2, b"before") + b"\x83\x00")
    assert next(messages) == (2, b"before")
