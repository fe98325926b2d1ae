"""An update of one struct is read by a regex: the same as by the walk, and Yjs can decode it."""

import random
from typing import Any

import pycrdt
import pytest

from isshoni.session.single_change import read_single_change
from isshoni.session.yjs_parts import read_contents
from isshoni.session.yjs_structs import Range


def _varuint(draw: random.Random, most_bytes: int) -> bytes:
    continued = bytes(draw.randrange(128, 256) for _ in range(draw.randrange(most_bytes)))
    return continued + bytes((draw.randrange(128),))


def _text(draw: random.Random) -> bytes:
    text = "".join(draw.choices("aZ_0é", k=draw.choice((0, 1, 2, 8, 31, 32)))).encode()
    return bytes((len(text),)) + text


def _number(draw: random.Random) -> bytes:
    kind = draw.choice((125, 124, 123, 122, 121, 120, 126, 127, 119, 117, 116, 200))
    size = {124: 4, 123: 8, 122: 8}.get(kind, 0)
    if kind == 125:
        return b"\x7d" + _varuint(draw, 7)
    if kind == 119:
        return b"\x77" + _text(draw)
    if kind == 117:
        return b"\x75\x02" + _number(draw) + _number(draw)
    return bytes((kind,)) + draw.randbytes(size)


def _update(draw: random.Random) -> bytes:
    """Return an update of one struct, or something close to it."""
    author = _varuint(draw, 6)

    def an_id() -> bytes:
        return draw.choice((author, _varuint(draw, 6))) + _varuint(draw, 5)

    info = draw.choice((7, 8, 8, 8, 4)) | draw.choice((0, 0x20, 0x40, 0x80, 0xC0, 0xA0, 0xE0))
    head = bytes((info,)) + an_id() * ((info >> 7) + (info >> 6 & 1))
    if not info & 0xC0:
        head += draw.choice((b"\0" + an_id(), b"\1" + _text(draw)))
        head += _text(draw) if info & 0x20 else b""
    kind = info & 0x1F
    content = bytes((draw.randrange(3),)) if kind == 7 else b"\1" + _number(draw)
    content = _text(draw) if kind == 4 else content
    ranges = author + b"\1" + _varuint(draw, 5) + _varuint(draw, 5)
    deleted = draw.choice((b"\0", b"\1" + ranges))
    update = b"\1\1" + author + _varuint(draw, 5) + head + content + deleted
    if draw.random() < 0.2:
        at = draw.randrange(len(update))
        update = update[:at] + draw.randbytes(draw.randrange(2)) + update[at + 1 :]
    return update


@pytest.mark.parametrize("seed", range(10))
def test_what_the_regex_accepts_is_read_as_the_walk_reads_it_and_decodes(seed: int) -> None:
    draw = random.Random(seed)
    accepted = 0
    for _ in range(1_000):
        update = _update(draw)
        if (contents := read_single_change(update)) is None:
            continue
        accepted += 1
        assert contents == read_contents(update), update.hex()
        pycrdt.merge_updates(update)
        pycrdt.Doc().apply_update(update)
    assert accepted > 100


def test_a_change_of_one_key_is_read_by_the_regex() -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=3_111_222_333)
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    elements["one"] = pycrdt.Map({"x": 1})
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    for value in (2.5, 7, "red", None, True):
        elements["one"]["x"] = value
    elements["two"] = pycrdt.Map()
    found = [read_single_change(update) for update in made]
    assert found == [read_contents(update) for update in made]
    assert None not in found


def test_what_a_change_refers_to_of_another_author_is_needed() -> None:
    by_ann: pycrdt.Doc[Any] = pycrdt.Doc(client_id=300)
    by_ann.get("elements", type=pycrdt.Map)["x"] = 1
    by_bo: pycrdt.Doc[Any] = pycrdt.Doc(client_id=200)
    by_bo.apply_update(by_ann.get_update())
    made: list[bytes] = []
    by_bo.observe(lambda event: made.append(event.update))
    by_bo.get("elements", type=pycrdt.Map)["x"] = 2
    contents = read_single_change(made[0])
    assert contents is not None
    assert contents.chunks[0].needs == {300: 0}
    assert contents.deleted == [Range(300, 0, 1)]
    assert contents == read_contents(made[0])


@pytest.mark.parametrize("value", [b"\1\1\5\0\4", b"", b"\0\0", b"\1\1\5\0\x28\1\1a\1x\1\x7e\0\0"])
def test_another_update_is_left_to_the_walk(value: bytes) -> None:
    assert read_single_change(value) is None
