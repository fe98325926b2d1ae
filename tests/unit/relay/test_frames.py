"""Frames are found whatever pieces the bytes come in, followed and cut, at any change of both."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.relay.core.frames import CLOSE, Frame, FrameCutter, make_frame
from isshoni.relay.core.messages import MessageJoiner

KEY = b"\x01\x80\xff\x07"
PAYLOADS = st.one_of(
    st.binary(max_size=20),
    st.integers(120, 130).map(lambda size: b"x" * size),
    st.integers(65_530, 65_540).map(lambda size: b"y" * size),
)
FRAMES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([1, 2]), PAYLOADS, st.booleans()),
        st.tuples(st.sampled_from([9, 10]), st.binary(max_size=125), st.booleans()),
    ),
    max_size=8,
)
BROKEN = {
    "a reserved bit": b"\xc1\x01a",
    "a reserved opcode": b"\x83\x01a",
    "a reserved control opcode": b"\x8b\x01a",
    "a ping in fragments": b"\x09\x01a",
    "a ping of 126 bytes": b"\x89\x7e\x00\x7e",
    "a continuation of nothing": b"\x80\x01a",
    "a reserved bit and an endless length": b"\xa2\x7f\x00\x00\x01\x00\x00\x00\x00\x00a",
}


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


@pytest.mark.parametrize("name", BROKEN)
@given(cut_at=st.integers(0, 20), follows=st.booleans())
def test_what_breaks_the_rules_passes_at_once_with_all_that_follows(
    name: str, cut_at: int, follows: bool
) -> None:
    sound, broken = make_frame(1, b"sound"), BROKEN[name]
    cutter, passed = FrameCutter(), b""
    for piece in (sound + broken[:cut_at], broken[cut_at:], b"more"):
        if follows:
            cutter.follow(piece)
            passed += piece
            continue
        rest, whole = cutter.cut(piece)
        passed += rest + b"".join(frame.data for frame in whole)
        if cutter.is_broken:
            passed += cutter.release()
    assert passed == sound + broken + b"more"
    assert cutter.is_broken
    assert cutter.in_frame
    assert not cutter.at_boundary


def test_a_new_message_in_a_message_breaks_the_rules() -> None:
    cutter = FrameCutter()
    cutter.follow(bytes([0x01, 1]) + b"a" + make_frame(1, b"b"))
    assert cutter.is_broken


def test_many_small_fragments_count_with_the_memory_that_they_take() -> None:
    cutter, joiner = FrameCutter(), MessageJoiner()
    _, frames = cutter.cut(bytes([0x01, 1]) + b"a" + (bytes([0x00, 1]) + b"b") * 999)
    assert [joiner.add(frame) for frame in frames] == [None] * 1000
    assert joiner.kept_bytes > 100 * 1000
    message = joiner.add(Frame(bytes([0x80, 0]), 2))
    assert message is not None
    assert message.payload == b"a" + b"b" * 999
    assert joiner.kept_bytes == 0
