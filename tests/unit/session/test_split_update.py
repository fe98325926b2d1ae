"""Updates in pieces: together they are the whole, and none refers to a later one."""

import random
from typing import Any

import pycrdt
import pytest

from isshoni.session.server.yjs_update import parse_state
from isshoni.session.split_update import split_update
from isshoni.session.yjs_structs import read_update, write_update

FRAME = 1 << 20


def _apply_in_order(doc: "pycrdt.Doc[Any]", pieces: list[bytes]) -> None:
    """Apply pieces; none of them may be put aside until a later one comes."""
    for piece in pieces:
        doc.apply_update(piece)
        clocks = _clocks(doc)
        for struct in read_update(piece)[0]:
            assert clocks.get(struct.client, 0) >= struct.clock + struct.length


def _clocks(doc: "pycrdt.Doc[Any]") -> dict[int, int]:
    return parse_state(doc.get_state())


class Author:
    def __init__(self) -> None:
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)
        self.list: pycrdt.Array[Any] = self.doc.get("list", type=pycrdt.Array)
        self.text: pycrdt.Text = self.doc.get("text", type=pycrdt.Text)

    def edit(self, dice: random.Random) -> None:
        kind = dice.randrange(6)
        if kind == 0:
            self.text.insert(0, "abc 한글 😀" * dice.randint(1, 9))
        elif kind == 1 and len(self.text):
            self.text.clear()
        elif kind == 2:
            self.list.insert(dice.randint(0, len(self.list)), pycrdt.Array(list(range(5))))
        elif kind == 3:
            self.list.extend([{"n": n, "x": [n / 3]} for n in range(dice.randint(1, 40))])
        elif kind == 4:
            self.elements[f"{dice.randrange(5)}"] = pycrdt.Map({"x": dice.random()})
        elif self.elements:
            key = dice.choice(sorted(self.elements.keys()))
            self.elements[key][f"p{dice.randrange(3)}"] = "v" * dice.randrange(50)

    def take(self, other: "Author") -> None:
        self.doc.apply_update(other.doc.get_update(self.doc.get_state()))

    def read(self) -> tuple[Any, ...]:
        return self.elements.to_py(), self.list.to_py(), str(self.text)


def make_authors(dice: random.Random) -> list[Author]:
    authors = [Author() for _ in range(3)]
    for _ in range(60):
        dice.choice(authors).edit(dice)
        if dice.random() < 0.3:
            one, other = dice.sample(authors, 2)
            one.take(other)
    for other in authors[1:]:
        authors[0].take(other)
    return authors


@pytest.mark.parametrize("seed", range(40))
def test_pieces_in_order_are_the_whole_whatever_several_authors_did(seed: int) -> None:
    dice = random.Random(seed)
    authors = make_authors(dice)
    known = authors[1] if dice.random() < 0.5 else Author()
    update = authors[0].doc.get_update(known.doc.get_state())
    pieces = split_update(update, dice.randint(20, 300), FRAME)
    assert not pieces.too_large
    _apply_in_order(known.doc, pieces.updates)
    assert _clocks(known.doc) == _clocks(authors[0].doc)
    assert known.read() == authors[0].read()


@pytest.mark.parametrize("seed", range(10))
def test_an_update_that_is_read_and_written_is_the_same_one(seed: int) -> None:
    update = make_authors(random.Random(seed))[0].doc.get_update()
    assert write_update(*read_update(update)) == update


def test_no_piece_is_larger_than_asked_and_no_character_is_cut() -> None:
    author = Author()
    author.text += "😀" * 5000
    author.list.extend(list(range(5000)))
    pieces = split_update(author.doc.get_update(), 777, FRAME)
    assert max(map(len, pieces.updates)) < 900
    taken = Author()
    _apply_in_order(taken.doc, pieces.updates)
    assert taken.read() == author.read()


def test_a_value_that_no_frame_holds_is_deleted_and_what_builds_on_it_fits_on() -> None:
    author = Author()
    author.elements["huge"] = "x" * 3000
    author.elements["huge"] = "small again"
    author.list.append(1)
    author.list.append("y" * 3000)
    author.list.append(3)
    pieces = split_update(author.doc.get_update(), 500, 1000)
    assert [one.length for one in pieces.too_large] == [1]
    taken = Author()
    _apply_in_order(taken.doc, pieces.updates)
    assert taken.read() == ({"huge": "small again"}, [1, 3], "")
    author.doc.apply_update(pieces.make_deletion())
    assert author.read() == taken.read()
    author.list.append(4)
    taken.take(author)
    assert taken.read() == author.read()
