"""Frames are found whatever pieces the bytes come in, followed and cut, at any change of both."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from isshoni.relay.core.frames import CLOSE, FrameCutter, make_frame

KEY = b"\x01\x80\xff\x07"
PAYLOADS = st.one_of(
    st.binary(max_size=20),
    st.integers(120, 130).map(lambda size: b"x" * size),
    st.integers(65_530, 65_540).map(lambda size: b"y" * size),
)
FRAMES = st.lists(st.tuples(st.sampled_from([1, 2, 9, 10]), PAYLOADS, st.booleans()), max_size=8)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut `data` at the given places, taken modulo its length."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def to_wire(frames: list[tuple[int, bytes, bool]]) -> list[bytes]:
    """Return the frames as they are sent: opcode, payload, and if they are masked."""
    return [make_frame(opcode, payload, KEY if m else b"") for opcode, payload, m in frames]


@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_frames_are_cut_out_of_any_pieces(
    frames: list[tuple[int, bytes, bool]], cuts: list[int]
) -> None:
    wire = [
        make_frame(opcode, payload, KEY if masked else b"") for opcode, payload, masked in frames
    ]
    cutter = FrameCutter()
    found = []
    for piece in split(b"".join(wire), cuts):
        rest, whole = cutter.cut(piece)
        assert rest == b""
        found += whole
    assert [frame.data for frame in found] == wire
    assert [frame.payload for frame in found] == [payload for _, payload, _ in frames]
    assert cutter.at_boundary


@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12), st.lists(st.booleans(), min_size=14))
def test_no_byte_is_lost_when_following_and_cutting_alternate(
    frames: list[tuple[int, bytes, bool]], cuts: list[int], follows: list[bool]
) -> None:
    wire = b"".join(to_wire(frames))
    cutter, passed = FrameCutter(), b""
    for piece, follow in zip(split(wire, cuts), follows, strict=False):
        if follow:
            passed += cutter.release()
            cutter.follow(piece)
            passed += piece
        else:
            rest, whole = cutter.cut(piece)
            passed += rest + b"".join(frame.data for frame in whole)
    assert passed + cutter.release() == wire
    assert cutter.at_boundary


@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_a_boundary_is_seen_only_between_messages(
    frames: list[tuple[int, bytes, bool]], cuts: list[int]
) -> None:
    wire = [
        make_frame(opcode, payload, KEY if masked else b"") for opcode, payload, masked in frames
    ]
    ends, total = {0}, 0
    for data in wire:
        total += len(data)
        ends.add(total)
    cutter, at = FrameCutter(), 0
    for piece in split(b"".join(wire), cuts):
        cutter.follow(piece)
        at += len(piece)
        assert cutter.at_boundary == (at in ends)


def test_a_fragmented_message_is_no_boundary_until_its_last_frame() -> None:
    cutter = FrameCutter()
    first = bytes([0x01, 1]) + b"a"
    ping = make_frame(9, b"")
    last = bytes([0x80, 1]) + b"b"
    boundaries = []
    for data in (first, ping, last):
        cutter.follow(data)
        boundaries.append(cutter.at_boundary)
    assert boundaries == [False, False, True]


def test_a_close_frame_is_seen_while_following() -> None:
    cutter = FrameCutter()
    cutter.follow(make_frame(CLOSE, b"\x03\xe8", KEY))
    assert cutter.closing
