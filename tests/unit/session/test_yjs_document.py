"""Updates in any order: the document is the same, and nothing of it is lost."""

import random
from typing import Any

import pycrdt
import pytest

from isshoni.backend.live.small_document import SmallDocument
from isshoni.backend.live.whole_canvas import find_lost, make_snapshot, restore_document
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.client.canvas import Canvas
from isshoni.session.server.yjs_update import EMPTY_STATE, parse_state
from isshoni.session.sync import SyncUpdate, make_update, parse_y_frame
from isshoni.session.yjs_document import YjsDocument
from tests.unit.session.test_split_update import Author


def _draw(dice: random.Random) -> tuple[Author, list[bytes]]:
    """Return what several authors drew together, and their updates as they came about."""
    authors = [Author() for _ in range(dice.randint(1, 4))]
    made: list[bytes] = []
    all_of_it = Author()
    for _ in range(dice.randint(3, 40)):
        author = dice.choice(authors)
        before = author.doc.get_state()
        author.edit(dice)
        made.append(author.doc.get_update(before))
        for other in authors:
            if dice.random() < 0.3:
                other.take(author)
    for author in authors:
        all_of_it.take(author)
    return all_of_it, made


def _draw_with_one_late(dice: random.Random) -> tuple[Author, list[bytes], bytes]:
    """Return what was drawn, its updates in any order without one, and that one."""
    whole, made = _draw(dice)
    dice.shuffle(made)
    return whole, made[:-1], made[-1]


def _read(doc: "pycrdt.Doc[Any]") -> object:
    reader = Author()
    reader.doc.apply_update(doc.get_update())
    return reader.read(), {of: at for of, at in parse_state(doc.get_state()).items() if at}


SEEDS = pytest.mark.parametrize("seed", range(60))


@SEEDS
def test_updates_in_any_order_and_more_than_once_make_the_same_document(seed: int) -> None:
    dice = random.Random(seed)
    whole, made = _draw(dice)
    given = [*made, *dice.choices(made, k=3)]
    dice.shuffle(given)
    document = YjsDocument()
    for update in given:
        document.apply(update)
    assert _read(document.doc) == _read(whole.doc)
    assert not document.waiting()
    assert not document.missing


@SEEDS
def test_what_builds_on_a_missing_update_is_there_once_that_comes(seed: int) -> None:
    """Also when the document was encoded, stored and loaded meanwhile."""
    whole, made, last = _draw_with_one_late(random.Random(seed))
    early, stored = YjsDocument(), YjsDocument()
    for update in made:
        early.apply(update)
    stored.apply(early.encode())
    for document in (early, stored):
        document.apply(last)
        assert _read(document.doc) == _read(whole.doc)


def test_a_missing_update_is_named_until_it_comes() -> None:
    author = Author()
    made: list[bytes] = []
    author.doc.observe(lambda event: made.append(event.update))
    for number in range(4):
        author.elements[f"{number}"] = {"x": number}
    client = author.doc.client_id
    document = YjsDocument()
    document.apply(made[0])
    assert document.missing == {}
    document.apply(made[3])
    document.apply(made[2])
    assert document.missing == {client: 1}
    document.apply(made[1])
    assert document.missing == {}
    assert parse_state(document.doc.get_state()) == {client: 4}


@SEEDS
def test_a_log_in_any_order_keeps_all_of_it_wherever_it_is_put_together(seed: int) -> None:
    dice = random.Random(seed)
    whole, made = _draw(dice)
    dice.shuffle(made)
    cut = dice.randint(0, len(made))
    first = CanvasLog(None, [Entry(at, made[at]) for at in range(cut)], cut)
    snapshot = make_snapshot(first, frozenset()) if cut else None
    rest = [Entry(at, made[at]) for at in range(cut, len(made))]
    log = CanvasLog(snapshot, rest, len(made))
    assert _read(restore_document(log, frozenset())) == _read(whole.doc)
    small = SmallDocument()
    for update in ([snapshot] if snapshot else []) + [entry.payload for entry in rest]:
        small.apply(update)
    seen = pycrdt.Doc[Any]()
    for update in small.updates():
        seen.apply_update(update)
    assert _read(seen) == _read(whole.doc)
    held = CanvasLog(None, log.updates[1:], log.seq)
    lost = find_lost(held, frozenset(), small.updates())
    again = YjsDocument()
    for update in [entry.payload for entry in held.updates] + ([lost] if lost else []):
        again.apply(update)
    assert _read(again.doc) == _read(whole.doc)


@SEEDS
def test_a_client_has_all_that_it_was_sent_in_any_order_beside_its_own(seed: int) -> None:
    dice = random.Random(seed)
    whole, made = _draw(dice)
    dice.shuffle(made)
    canvas = Canvas(lambda frame: None)
    own: list[bytes] = []
    canvas.doc.observe(lambda event: own.append(event.update))
    for number, update in enumerate(made):
        canvas.draw(f"own-{number}", {"n": number})
        canvas.take_frame(make_update(update), is_current=True)
    whole.doc.apply_update(canvas.doc.get_update())
    assert canvas.elements == whole.elements.to_py()
    assert parse_state(canvas.doc.get_state()) == parse_state(whole.doc.get_state())


@SEEDS
def test_a_client_is_sent_what_waits_and_has_it_once_the_rest_comes(seed: int) -> None:
    whole, made, last = _draw_with_one_late(random.Random(seed))
    small, client = SmallDocument(), YjsDocument()
    for update in made:
        small.apply(update)
    for frame in small.frames_missing_at(EMPTY_STATE):
        message = parse_y_frame(frame)
        assert isinstance(message, SyncUpdate)
        client.apply(message.update)
    client.apply(last)
    assert _read(client.doc) == _read(whole.doc)
