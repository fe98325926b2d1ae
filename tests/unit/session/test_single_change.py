"""An update of one struct, or a few, is read by a regex: the same as by the walk."""

import random
from typing import Any

import pycrdt
import pytest

from isshoni.session.single_change import MOST_IN_RUN, read_short_run, read_single_change
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_parts import join_updates, read_contents, walk_contents
from isshoni.session.yjs_structs import Range
from isshoni.session.yjs_walk import BrokenUpdate


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


def _struct(draw: random.Random, author: bytes, *, own: float = 0.5) -> bytes:
    def an_id() -> bytes:
        of = author if draw.random() < own else _varuint(draw, 6)
        return of + _varuint(draw, 5)

    info = draw.choice((7, 8, 8, 8, 4)) | draw.choice((0, 0x20, 0x40, 0x80, 0xC0, 0xA0, 0xE0))
    head = bytes((info,)) + an_id() * ((info >> 7) + (info >> 6 & 1))
    if not info & 0xC0:
        head += draw.choice((b"\0" + an_id(), b"\1" + _text(draw)))
        head += _text(draw) if info & 0x20 else b""
    kind = info & 0x1F
    content = bytes((draw.randrange(3),)) if kind == 7 else b"\1" + _number(draw)
    return head + (_text(draw) if kind == 4 else content)


def _update(draw: random.Random) -> bytes:
    """Return an update of one struct, or something close to it."""
    author = _varuint(draw, 6)
    return _damage(draw, b"\1\1" + author + _varuint(draw, 5) + _struct(draw, author), author)


def _run(draw: random.Random) -> bytes:
    """Return an update of a few structs of one author, or something close to it."""
    author = _varuint(draw, 5)
    made = (_struct(draw, author, own=0.99) for _ in iter(int, 1))
    # Among many, one that is not ordinary would leave the run to the walk.
    head = b"\1\1" + author + b"\0"
    ordinary = (
        one for one in made if read_single_change(head + one + b"\0") or draw.random() < 0.01
    )
    structs = [next(ordinary) for _ in range(draw.choice((1, 2, 3, 5, 16, 63, 64, 65)))]
    said = len(structs) + draw.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, -1))
    return _damage(
        draw, bytes((1, said)) + author + _varuint(draw, 5) + b"".join(structs), author, 0.05
    )


def _damage(draw: random.Random, structs: bytes, author: bytes, share: float = 0.2) -> bytes:
    """Add deletions to some structs; replace or drop a byte of a share of the updates."""
    ranges = author + b"\1" + _varuint(draw, 5) + _varuint(draw, 5)
    deleted = draw.choice((b"\0", b"\1" + ranges))
    update = structs + deleted
    if draw.random() < share:
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


def _read_by_walk(update: bytes) -> Contents | None:
    try:
        return walk_contents(update)
    except BrokenUpdate:
        return None


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_the_regex_accepts_is_read_as_the_walk_reads_it(seed: int) -> None:
    draw = random.Random(seed)
    accepted = 0
    for _ in range(300):
        update = _run(draw)
        if (contents := read_short_run(update)) is not None:
            accepted += 1
            assert contents == _read_by_walk(update), update.hex()
    assert accepted > 50


@pytest.mark.parametrize("wrong", [1, 3, 15, 17])
def test_a_run_of_another_length_than_it_says_is_left_to_the_walk(wrong: int) -> None:
    made = [_set_x(clock) for clock in range(2, 18)]
    joined = join_updates([read_contents(update) for update in made])[0]
    assert read_short_run(joined) == walk_contents(joined)
    assert read_short_run(bytes((1, wrong)) + joined[2:]) is None


@pytest.mark.parametrize("count", [2, 16, MOST_IN_RUN])
def test_joined_changes_of_one_client_are_read_by_the_regex(count: int) -> None:
    made = [_set_x(clock) for clock in range(2, 2 + count)]
    joined = join_updates([read_contents(update) for update in made])[0]
    assert read_short_run(joined) == walk_contents(joined)
    assert read_short_run(joined) is not None


def _set_x(clock: int) -> bytes:
    """Return an update that replaces the value of a key, and deletes the one before."""
    client = b"\xf8\xd7\xa3\x4b"
    before = client + bytes((clock - 1,))
    struct = b"\xa8" + before + b"\1\x7b" + bytes(8)
    return (
        b"\1\1" + client + bytes((clock,)) + struct + b"\1" + client + b"\1" + before[-1:] + b"\1"
    )


@pytest.mark.parametrize("value", [b"\1\1\5\0\4", b"", b"\0\0", b"\1\1\5\0\x28\1\1a\1x\1\x7e\0\0"])
def test_another_update_is_left_to_the_walk(value: bytes) -> None:
    assert read_single_change(value) is None
