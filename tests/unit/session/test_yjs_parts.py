"""Documents in parts, updates joined, and clocks: the same as what Yjs makes of the whole."""

import random

import pycrdt
import pytest

from isshoni.session.clocks import Clocks
from isshoni.session.server.yjs_update import check_update, parse_state
from isshoni.session.yjs_parts import (
    cut_into_parts,
    join_updates,
    make_deletions,
    read_contents,
    squash_ranges,
)
from isshoni.session.yjs_structs import Range
from tests.unit.session.test_split_update import Author, make_authors


def _cut(update: bytes, part_bytes: int) -> list[bytes]:
    contents = read_contents(update, part_bytes)
    parts = [part.update for part in cut_into_parts(contents.chunks, part_bytes)]
    return [*parts, *make_deletions(squash_ranges(contents.deleted), part_bytes)]


def _clocks(state: bytes) -> dict[int, int]:
    """Return the clocks of a state vector; Yjs may name an author of whom it has nothing."""
    return {client: clock for client, clock in parse_state(state).items() if clock}


def _observe(author: Author) -> list[bytes]:
    made: list[bytes] = []
    author.doc.observe(lambda event: made.append(event.update))
    return made


@pytest.mark.parametrize("seed", range(40))
def test_parts_are_the_whole_whatever_several_authors_did(seed: int) -> None:
    dice = random.Random(seed)
    authors = make_authors(dice)
    known = authors[1] if dice.random() < 0.5 else Author()
    update = authors[0].doc.get_update(known.doc.get_state())
    for part in _cut(update, dice.randint(20, 300)):
        check_update(part)
        known.doc.apply_update(part)
    assert _clocks(known.doc.get_state()) == _clocks(authors[0].doc.get_state())
    assert known.read() == authors[0].read()


def test_a_page_of_many_small_elements_is_cut_between_them() -> None:
    author = Author()
    with author.doc.transaction():
        for number in range(400):
            properties = {f"p{n}": n * number for n in range(20)} | {"name": f"name {number}"}
            author.elements[f"{number}"] = pycrdt.Map(properties)
    author.elements["7"]["p1"] = "changed"
    del author.elements["9"]
    parts = _cut(author.doc.get_update(), 2_000)
    assert len(parts) > 50
    assert max(map(len, parts)) < 4_000
    taken = Author()
    for part in parts:
        taken.doc.apply_update(part)
    assert taken.read() == author.read()
    assert taken.doc.get_state() == author.doc.get_state()


def test_no_part_is_larger_than_asked_and_no_character_is_cut() -> None:
    author = Author()
    author.text += "😀" * 5_000
    author.list.extend(list(range(2_000)))
    parts = _cut(author.doc.get_update(), 777)
    assert max(map(len, parts)) < 900
    taken = Author()
    for part in parts:
        taken.doc.apply_update(part)
    assert taken.read() == author.read()


@pytest.mark.parametrize("seed", range(40))
def test_joined_updates_do_what_each_of_them_did(seed: int) -> None:
    dice = random.Random(seed)
    author, one, other = Author(), Author(), Author()
    made = _observe(author)
    for _ in range(40):
        author.edit(dice)
    given = list(made)
    is_whole = dice.random() < 0.5
    if not is_whole:
        del given[dice.randrange(len(given) - 1)]  # it arrives later
    joined = join_updates(map(read_contents, given))
    for update in joined:
        check_update(update)
        one.doc.apply_update(update)
    for update in given:
        other.doc.apply_update(update)
    assert _clocks(one.doc.get_state()) == _clocks(other.doc.get_state())
    # While one is missing, yrs may apply the deletions in later ones sooner or later.
    assert one.read() == other.read() or not is_whole
    for update in made:
        one.doc.apply_update(update)
    assert one.read() == author.read()


def test_updates_of_several_authors_become_one_and_a_gap_makes_it_two() -> None:
    authors = [Author(), Author()]
    made = [_observe(author) for author in authors]
    for number in range(5):
        for author in authors:
            author.elements[f"{number}"] = {"x": number}
    mixed = [update for pair in zip(*made, strict=True) for update in pair]
    assert len(join_updates(map(read_contents, mixed))) == 1
    assert len(join_updates(map(read_contents, mixed[:4] + mixed[6:]))) == 2


@pytest.mark.parametrize("seed", range(40))
def test_clocks_are_those_of_yjs_in_whatever_order_updates_come(seed: int) -> None:
    dice = random.Random(seed)
    authors = [Author() for _ in range(3)]
    made: list[bytes] = []
    for author in authors:
        author.doc.observe(lambda event: made.append(event.update))
    for _ in range(60):
        dice.choice(authors).edit(dice)
        if dice.random() < 0.3:
            one, other = dice.sample(authors, 2)
            one.take(other)
    for at in range(len(made) - 1):
        if dice.random() < 0.2:
            made[at], made[at + 1] = made[at + 1], made[at]
    followed, clocks = Author(), Clocks()
    for update in made:
        followed.doc.apply_update(update)
        clocks.add(read_contents(update).chunks)
    assert _clocks(clocks.encode()) == _clocks(followed.doc.get_state())


def test_clocks_stop_at_an_update_whose_predecessor_of_another_author_is_missing() -> None:
    ann, bo, yjs = Author(), Author(), Author()
    made_by_ann, clocks = _observe(ann), Clocks()
    ann.elements["a"] = pycrdt.Map({"x": 1})
    bo.take(ann)
    made_by_bo = _observe(bo)
    bo.elements["a"]["x"] = 2
    clocks.add(read_contents(made_by_bo[0]).chunks)
    yjs.doc.apply_update(made_by_bo[0])
    assert _clocks(clocks.encode()) == _clocks(yjs.doc.get_state()) == {}
    clocks.add(read_contents(made_by_ann[0]).chunks)
    yjs.doc.apply_update(made_by_ann[0])
    assert _clocks(clocks.encode()) == _clocks(yjs.doc.get_state())


def test_deleted_ranges_that_touch_or_overlap_become_one() -> None:
    ranges = [Range(1, 5, 2), Range(1, 0, 3), Range(1, 2, 3), Range(2, 0, 1), Range(1, 9, 1)]
    assert squash_ranges(ranges) == [Range(1, 0, 7), Range(1, 9, 1), Range(2, 0, 1)]
