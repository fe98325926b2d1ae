"""A full canvas can be emptied, also by a client whose own drawing it refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.canvas_worker import (
    WORKER_BYTES,
    WorkerFailed,
    erasure_apart,
    snapshot_apart,
)
from isshoni.backend.live.log_size import LogSize
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.live.whole_canvas import make_erasure, make_snapshot
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.session.close_codes import CloseCode
from isshoni.session.sync import SyncStep1, make_step1, make_step2, make_update, parse_y_frame
from isshoni.session.yjs_walk import BrokenUpdate
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer

NO_POISON: frozenset[int] = frozenset()


class Artist:
    """A Yjs client that answers step 1 and sends each change."""

    def __init__(self, manager: WebSocketManager) -> None:
        self._manager = manager
        self.peer = Peer(manager)
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)

    async def connect(self) -> None:
        self.peer = peer = Peer(self._manager)
        await peer.restore(client_id="ann", can=["canvas"])
        peer.say_bytes(make_step1(self.doc))
        await wait_until(lambda: self._step1() is not None, "a step 1")
        step1 = self._step1()
        assert step1 is not None
        peer.say_bytes(make_step2(self.doc.get_update(step1.state)))

    def _step1(self) -> SyncStep1 | None:
        frames = [parse_y_frame(f) for f in self.peer.frames if isinstance(f, bytes)]
        return next((frame for frame in frames if isinstance(frame, SyncStep1)), None)

    def change(self, make: Callable[[], None]) -> None:
        before = self.doc.get_state()
        make()
        self.peer.say_bytes(make_update(self.doc.get_update(before)))


def _full_canvas() -> tuple[Artist, FakeSessionStore]:
    store = FakeSessionStore()
    limits = replace(SETTINGS.limits, canvas_bytes=20_000)
    return Artist(WebSocketManager(BackendContext(replace(SETTINGS, limits=limits), store))), store


async def _stored(store: FakeSessionStore) -> dict[str, Any]:
    canvas = Canvas("s", store, lambda: None, lambda: None)
    await canvas.load()
    elements = (await canvas.ensure_view()).elements()
    return {element_id: str(value) for element_id, value in elements.items()}


async def _size(store: FakeSessionStore) -> int:
    canvas = Canvas("s", store, lambda: None, lambda: None)
    await canvas.load()
    return canvas.size_bytes


async def _wait_until_small(store: FakeSessionStore) -> None:
    for _ in range(1000):
        if await _size(store) < 1_000:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the canvas stays full")


async def _fill(ann: Artist) -> None:
    await ann.connect()
    ann.change(lambda: ann.elements.update({"big": "x" * 18_000, "other": "o"}))
    await ann.peer.wait_for("saved")
    ann.change(lambda: ann.elements.update({"mine": "y" * 3_000}))
    assert (await ann.peer.wait_for("error"))["code"] == "canvas_full"


@pytest.mark.spec("A7")
@pytest.mark.parametrize("again", [False, True], ids=["same connection", "new connection"])
async def test_what_a_refused_author_erases_is_erased_and_makes_room(again: bool) -> None:
    ann, store = _full_canvas()
    await _fill(ann)

    def erase() -> None:
        del ann.elements["big"]

    if again:
        await ann.peer.leave()
        await ann.connect()
        assert (await ann.peer.wait_for("error"))["code"] == "canvas_full"
    ann.change(erase)
    await ann.peer.wait_for("error", 2)
    await _wait_until_small(store)
    assert set(await _stored(store)) == {"other"}
    await wait_until(lambda: ann.peer.code == CloseCode.RESUME, "the close that asks it to return")
    await ann.peer.leave()

    await ann.connect()
    await ann.peer.wait_for("saved")
    assert set(await _stored(store)) == {"other", "mine"}
    await ann.peer.leave()


@pytest.mark.spec("A7")
async def test_an_element_is_erased_whose_replacement_was_refused_some_time_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks: list[int] = []
    find = Canvas.find_erasure

    async def find_erasure(self: Canvas, refused: list[bytes]) -> bytes | None:
        checks.append(len(refused))
        return await find(self, refused)

    monkeypatch.setattr(Canvas, "find_erasure", find_erasure)
    ann, store = _full_canvas()
    await _fill(ann)
    # As a stock client sends it: of deletions, only those of this change.
    watch = ann.doc.observe(lambda event: ann.peer.say_bytes(make_update(event.update)))
    ann.elements.update({"big": "z" * 18_000})  # refused, and checked
    await wait_until(lambda: checks, "a check of the replacement")
    del ann.elements["big"]  # deletes what only the refused change has
    ann.doc.unobserve(watch)
    await _wait_until_small(store)
    assert set(await _stored(store)) == {"other"}
    await ann.peer.leave()


@pytest.mark.spec("A7")
async def test_what_was_erased_offline_is_erased_too() -> None:
    ann, store = _full_canvas()
    await _fill(ann)
    await ann.peer.leave()
    del ann.elements["big"]
    await ann.connect()
    await _wait_until_small(store)
    assert set(await _stored(store)) == {"other"}
    await ann.peer.leave()


@pytest.mark.spec("A7")
async def test_a_full_canvas_makes_room_of_what_was_erased_before() -> None:
    ann, store = _full_canvas()
    await ann.connect()
    ann.change(lambda: ann.elements.update({"big": "x" * 18_000}))
    await ann.peer.wait_for("saved")
    ann.change(lambda: ann.elements.update({"big": "small"}))
    await ann.peer.wait_for("saved", 2)
    ann.change(lambda: ann.elements.update({"mine": "y" * 3_000}))
    assert (await ann.peer.wait_for("error"))["code"] == "canvas_full"
    await _wait_until_small(store)
    await ann.peer.leave()
    await ann.connect()
    await ann.peer.wait_for("saved")
    await ann.peer.leave()


@pytest.mark.spec("A7")
async def test_a_process_sees_the_room_that_another_one_made() -> None:
    server = FakeServer()
    ours, theirs = (
        Canvas("s", FakeSessionStore(server), lambda: None, lambda: None) for _ in range(2)
    )
    doc, elements, first = _document({"big": "x" * 18_000})
    state = doc.get_state()
    del elements["big"]
    log = FakeSessionStore(server)
    for update in (first, doc.get_update(state)):
        await log.append_canvas("s", update)
    await ours.load()
    await theirs.load()
    theirs.compact_if_changed()
    await wait_until(lambda: theirs.size_bytes < 1_000, "their compaction")
    assert ours.size_bytes > 18_000
    ours.compact_if_changed()
    await wait_until(lambda: ours.size_bytes < 1_000, "ours")


def _document(elements: dict[str, Any]) -> tuple[pycrdt.Doc[Any], pycrdt.Map[Any], bytes]:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    shared: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    shared.update(elements)
    return doc, shared, doc.get_update()


def _log(whole: bytes) -> CanvasLog:
    return CanvasLog(whole, [], 7)


def _elements_after(*updates: bytes) -> dict[str, Any]:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    for update in updates:
        doc.apply_update(update)
    shared: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    return shared.to_py() or {}


def test_what_a_refused_change_moves_or_replaces_stays_as_it_was() -> None:
    doc, elements, whole = _document(
        {"moved": pycrdt.Map({"x": 1}), "replaced": pycrdt.Map({"x": 2}), "plain": {"x": 3}}
    )
    state = doc.get_state()
    elements["moved"]["x"] = 10
    elements["replaced"] = {"x": 20}
    elements["plain"] = {"x": 30}
    assert make_erasure(_log(whole), NO_POISON, [doc.get_update(state)]) == b""


def test_an_erasure_among_other_refused_changes_is_taken_alone() -> None:
    doc, elements, whole = _document({"a": pycrdt.Map({"x": 1}), "b": {"x": 2}, "c": {"x": 3}})
    state = doc.get_state()
    elements["a"]["x"] = 10
    elements["b"] = {"x": 20}
    del elements["b"]
    elements["c"] = {"x": 30}
    elements["new"] = {"x": 40}
    erasure = make_erasure(_log(whole), NO_POISON, [doc.get_update(state)])
    assert erasure[:1] == b"\0"  # no structs: it deletes, and does nothing else
    assert _elements_after(whole, erasure) == {"a": {"x": 1}, "c": {"x": 3}}


def test_nothing_is_erased_while_what_replaces_it_cannot_be_read() -> None:
    doc, elements, whole = _document({"a": {"x": 1}})
    elements["missing"] = "saved, and not heard yet"
    state = doc.get_state()
    elements["a"] = {"x": 10}
    assert make_erasure(_log(whole), NO_POISON, [doc.get_update(state)]) == b""


async def test_a_large_canvas_is_worked_on_in_a_process_of_its_own() -> None:
    doc, elements, whole = _document({"big": "x" * WORKER_BYTES, "other": "o"})
    state = doc.get_state()
    del elements["big"]
    update = doc.get_update(state)
    erasure = await erasure_apart(_log(whole), NO_POISON, [update])
    assert erasure == make_erasure(_log(whole), NO_POISON, [update])
    log = CanvasLog(whole, [Entry(8, update), Entry(9, b"no update")], 9)
    snapshot = await snapshot_apart(log, frozenset({9}))
    assert snapshot.update == make_snapshot(log, frozenset({9}))
    assert len(snapshot.update) < 1_000


async def test_a_worker_that_fails_says_why() -> None:
    whole = b"\x01" + b"\xff" * WORKER_BYTES
    with pytest.raises(WorkerFailed, match=r"the canvas worker ended with 1: .*BrokenUpdate: .+"):
        await snapshot_apart(_log(whole), NO_POISON)


def test_the_size_of_a_log_counts_each_update_once() -> None:
    size = LogSize()
    size.start(CanvasLog(b"s" * 10, [Entry(5, b"aa"), Entry(6, b"bbb")], 6))
    size.add(6, 3)
    size.add(7, 4)
    assert size.total == 19
    size.compact(6, 8)
    assert size.total == 12
    size.add(6, 3)
    size.start(CanvasLog(b"s" * 9, [], 6))
    assert size.total == 13


@pytest.mark.spec("A7")
async def test_a_publication_that_breaks_yjs_does_not_mark_the_stored_update_at_its_seq() -> None:
    """A marked one would be left out of every later load and of the next snapshot."""
    store, poisoned = FakeSessionStore(), 0

    def count() -> None:
        nonlocal poisoned
        poisoned += 1

    canvas = Canvas("s", store, count, lambda: None)
    await canvas.load()
    with pytest.raises(BrokenUpdate):
        canvas.apply(Entry(1, b"no update at all"))
    _, _, update = _document({"e": "kept"})
    await store.append_canvas("s", update)
    await canvas.load()
    assert set((await canvas.ensure_view()).elements()) == {"e"}
    assert poisoned == 0
