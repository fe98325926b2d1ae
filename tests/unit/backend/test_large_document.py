"""A large canvas is served from its updates as a Yjs document would serve it."""

import asyncio
import random
from typing import Any

import pycrdt
import pytest

from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.canvas_worker import WORKER_BYTES, open_apart
from isshoni.backend.live.element_view import FRAME_BYTES, ElementView
from isshoni.backend.live.large_document import LargeDocument
from isshoni.backend.live.whole_canvas import make_snapshot_in_parts, open_log
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.session.server.yjs_update import EMPTY_STATE, parse_state
from isshoni.session.sync import SyncUpdate, parse_y_frame
from tests.support.fake_store import FakeSessionStore
from tests.unit.session.test_split_update import Author

NO_POISON: frozenset[int] = frozenset()


def _history(dice: random.Random, count: int = 60) -> tuple[Author, list[bytes]]:
    """Let three authors edit; return one that has all, and the updates in their order."""
    authors = [Author() for _ in range(3)]
    made: list[bytes] = []
    for author in authors:
        author.doc.observe(lambda event: made.append(event.update))
    for _ in range(count):
        dice.choice(authors).edit(dice)
        if dice.random() < 0.3:
            one, other = dice.sample(authors, 2)
            one.take(other)
    for author in authors[1:]:
        authors[0].take(author)
    return authors[0], list(made)


def _log(updates: list[bytes]) -> CanvasLog:
    entries = [Entry(seq, update) for seq, update in enumerate(updates, 1)]
    return CanvasLog(None, entries, len(entries))


def _take(author: Author, frames: list[bytes]) -> None:
    for frame in frames:
        message = parse_y_frame(frame)
        assert isinstance(message, SyncUpdate)
        author.doc.apply_update(message.update)


def _large(updates: list[bytes], opened: int) -> LargeDocument:
    document = LargeDocument(open_log(_log(updates[:opened]), NO_POISON))
    for seq, update in enumerate(updates[opened:], opened + 1):
        document.apply(update, seq)
    return document


@pytest.mark.parametrize("seed", range(30))
def test_a_client_at_any_state_is_sent_what_it_lacks(seed: int) -> None:
    dice = random.Random(seed)
    whole, updates = _history(dice)
    document = _large(updates, dice.randrange(len(updates)))
    known = Author()
    for update in updates[: dice.randrange(len(updates))]:
        known.doc.apply_update(update)
    _take(known, document.frames_missing_at(known.doc.get_state()))
    assert known.read() == whole.read()
    assert parse_state(document.state()) == parse_state(whole.doc.get_state())


@pytest.mark.parametrize("seed", range(30))
def test_the_parts_of_a_snapshot_replace_updates_and_lose_none(seed: int) -> None:
    dice = random.Random(seed)
    whole, updates = _history(dice)
    document = _large(updates, dice.randrange(len(updates)))
    upto = dice.randrange(len(updates)) + 1
    snapshot = make_snapshot_in_parts(_log(updates[:upto]), NO_POISON)
    document.replace(snapshot.parts, snapshot.deleted, upto)
    newcomer = Author()
    _take(newcomer, document.frames_missing_at(EMPTY_STATE))
    assert newcomer.read() == whole.read()


def test_a_snapshot_of_a_log_that_lost_an_update_replaces_nothing() -> None:
    whole, updates = _history(random.Random(1))
    document = _large(updates, len(updates))
    snapshot = make_snapshot_in_parts(_log(updates[:-9]), NO_POISON)
    document.replace(snapshot.parts, snapshot.deleted, len(updates))
    newcomer = Author()
    _take(newcomer, document.frames_missing_at(EMPTY_STATE))
    assert newcomer.read() == whole.read()


def test_an_update_that_breaks_yjs_is_left_out_and_its_seq_is_said() -> None:
    whole, updates = _history(random.Random(2))
    log = _log(updates)
    log.updates.append(Entry(99, b"no update"))
    opened = open_log(log, NO_POISON)
    assert opened.broken == [99]
    newcomer = Author()
    _take(newcomer, LargeDocument(opened).frames_missing_at(EMPTY_STATE))
    assert newcomer.read() == whole.read()


def _draw(count: int, size: int) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    with doc.transaction():
        for number in range(count):
            elements[f"{number}"] = pycrdt.Map({"text": "x" * size, "n": number})
    return doc.get_update()


async def test_a_log_is_opened_in_a_process_of_its_own_as_it_is_here() -> None:
    log = _log([_draw(300, WORKER_BYTES // 200)])
    assert await open_apart(log, NO_POISON) == open_log(log, NO_POISON)


async def test_a_canvas_that_grew_large_must_be_loaded_again_and_is_then_large() -> None:
    store = FakeSessionStore()
    canvas = Canvas("s", store, lambda: None, lambda: None)
    await canvas.load()
    for number, update in enumerate([_draw(9, 9), _draw(200, 900)], 1):
        await store.append_canvas("s", update)
        canvas.apply(Entry(number, update))
    outgrown = canvas.must_reload
    await canvas.load()
    assert isinstance(canvas.document, LargeDocument)
    assert (outgrown, canvas.must_reload) == (True, False)
    assert len((await canvas.ensure_view()).elements()) == 200


async def test_a_view_has_what_was_drawn_while_it_was_built() -> None:
    whole, updates = _history(random.Random(3), count=200)
    view = ElementView()
    building = asyncio.ensure_future(view.build(updates[:-50]))
    await asyncio.sleep(0)
    for update in updates[-50:]:
        view.apply(update)
    await building
    assert set(view.elements()) == set(whole.elements.keys())


async def test_the_elements_of_a_large_view_are_cut_into_several_frames() -> None:
    view = ElementView()
    await view.build([_draw(300, 10_000)])
    groups = list(view.cut_ids())
    assert len(groups) == -(-300 * 10_025 // FRAME_BYTES)
    assert {element_id for group in groups for element_id in group} == set(view.elements())
