"""A large canvas is sent no faster than it is read, and no change made then is missed."""

import asyncio
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.large_document import LargeDocument
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.live.whole_canvas import open_log
from isshoni.backend.store.ports import CanvasLog
from isshoni.session.messages import MAX_FRAME_BYTES
from isshoni.session.server.yjs_update import EMPTY_UPDATE
from isshoni.session.sync import (
    SyncStep1,
    SyncUpdate,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)
from isshoni.session.yjs_parts import PART_BYTES
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer

ELEMENTS = 400
"""Of 2 kB each: more than 10 parts."""


class SlowPeer(Peer):
    """A Yjs client that reads a frame only when it is allowed to."""

    def __init__(self, manager: WebSocketManager) -> None:
        self.allowed = asyncio.Semaphore(0)
        super().__init__(manager)
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.allowed.acquire()
        await super()._take(message)

    def read(self, frames: int = 1) -> None:
        """Read some more frames."""
        for _ in range(frames):
            self.allowed.release()

    @property
    def binary(self) -> list[bytes]:
        return [frame for frame in self.frames if isinstance(frame, bytes)]

    def apply_all(self) -> set[str]:
        for frame in self.binary:
            message = parse_y_frame(frame)
            if isinstance(message, SyncUpdate):
                self.doc.apply_update(message.update)
        return set(self.elements.keys())


class Painting:
    """A document of a client that draws, and the updates that it makes."""

    def __init__(self) -> None:
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)
        self.made: list[bytes] = []
        self.doc.observe(lambda event: self.made.append(event.update))

    def draw_quietly(self, key: str, size: int) -> None:
        self.elements[key] = {"text": "x" * size}

    def draw(self, key: str, size: int = 10) -> bytes:
        self.elements[key] = {"text": "x" * size}
        return self.made[-1]


async def _large_canvas() -> tuple[WebSocketManager, Painting]:
    store, painting = FakeSessionStore(), Painting()
    for number in range(ELEMENTS):
        await store.append_canvas("s", painting.draw(f"{number}", 2_000))
    return WebSocketManager(BackendContext(SETTINGS, store)), painting


async def _ann(manager: WebSocketManager) -> Peer:
    ann = Peer(manager)
    await ann.restore(client_id="ann", can=["canvas"])
    ann.say_bytes(make_step1(pycrdt.Doc()))
    await wait_until(lambda: len(ann.frames) > 10, "all of it")
    return ann


@pytest.mark.spec("A3")
async def test_a_newcomer_is_sent_parts_and_a_step_2_at_their_end() -> None:
    manager, _ = await _large_canvas()
    peer = SlowPeer(manager)
    peer.read(1_000)
    peer.say_bytes(make_step1(peer.doc))
    end = make_step2(EMPTY_UPDATE)
    await wait_until(lambda: end in peer.binary, "the end")
    assert isinstance(parse_y_frame(peer.binary[0]), SyncStep1)
    assert len(peer.binary) > 10
    assert max(map(len, peer.binary)) < 1.1 * PART_BYTES
    assert len(peer.apply_all()) == ELEMENTS


@pytest.mark.spec("A3")
async def test_a_newcomer_in_the_middle_of_a_canvas_gets_every_change_made_since() -> None:
    manager, painting = await _large_canvas()
    ann = await _ann(manager)
    peer = SlowPeer(manager)
    peer.say_bytes(make_step1(peer.doc))
    for number in range(20):
        ann.say_bytes(make_update(painting.draw(f"new-{number}")))
        peer.read()
        await wait_until(lambda: ann.inbox.empty(), "it was received")
    await wait_until(lambda: any(m["updates"] == 20 for m in ann.of("saved")), "saved")
    peer.read(1_000)
    await wait_until(lambda: make_step2(EMPTY_UPDATE) in peer.binary, "the end")
    await wait_until(lambda: len(peer.apply_all()) == ELEMENTS + 20, "all elements")


@pytest.mark.spec("D4")
async def test_a_peer_that_stops_reading_in_the_middle_holds_a_few_parts() -> None:
    manager, _ = await _large_canvas()
    peer = SlowPeer(manager)
    peer.say_bytes(make_step1(peer.doc))
    peer.read(3)
    await wait_until(lambda: len(peer.binary) == 3, "three frames")
    for _ in range(100):
        await asyncio.sleep(0)
    (connection,) = manager.connections_by_session()[0]
    assert connection.held_bytes < 3 * PART_BYTES
    peer.say_bytes(make_step1(peer.doc))
    peer.say(type="ping")
    await peer.leave()


@pytest.mark.spec("A3")
async def test_a_client_that_knows_the_canvas_is_sent_only_what_is_new() -> None:
    manager, painting = await _large_canvas()
    known: pycrdt.Doc[Any] = pycrdt.Doc()
    known.apply_update(painting.doc.get_update())
    ann = await _ann(manager)
    ann.say_bytes(make_update(painting.draw("new")))
    await ann.wait_for("saved")
    peer = SlowPeer(manager)
    peer.read(1_000)
    peer.say_bytes(make_step1(known))
    await wait_until(lambda: len(peer.binary) >= 2, "an answer")
    assert sum(map(len, peer.binary)) < 1_000
    known_elements: pycrdt.Map[Any] = known.get("elements", type=pycrdt.Map)
    for frame in peer.binary:
        if isinstance(message := parse_y_frame(frame), SyncUpdate):
            known.apply_update(message.update)
    assert "new" in known_elements


async def test_a_large_change_is_stored_in_parts_and_saved_as_one() -> None:
    store, painting = FakeSessionStore(), Painting()
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    ann = Peer(manager)
    await ann.restore(client_id="ann", can=["canvas"])
    ann.say_bytes(make_step1(painting.doc))
    with painting.doc.transaction():
        for number in range(200):
            painting.draw_quietly(f"{number}", 2_000)
    ann.say_bytes(make_update(painting.made[-1]))
    await ann.wait_for("saved")
    assert [message["updates"] for message in ann.of("saved")] == [1]
    canvas = store.server.sessions["s"].canvas
    assert len(canvas) > 5
    assert max(len(entry.payload) for entry in canvas) < 1.1 * PART_BYTES


async def test_a_restore_as_json_of_a_large_canvas_is_followed_by_the_rest() -> None:
    store, painting = FakeSessionStore(), Painting()
    for number in range(300):
        await store.append_canvas("s", painting.draw(f"{number}", 10_000))
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    peer = Peer(manager)
    restored = await peer.restore(client_id="old")
    assert 0 < len(restored["canvas_state"]) < 300
    assert sum(len(str(one)) for one in restored["canvas_state"].values()) <= MAX_FRAME_BYTES

    def found() -> set[str]:
        later = [key for frame in peer.of("canvas") for key in frame["elements"]]
        return {*restored["canvas_state"], *later}

    await wait_until(lambda: len(found()) == 300, "all elements")


def test_a_document_that_is_empty_answers_with_an_empty_step_2() -> None:
    document = LargeDocument(open_log(CanvasLog(None, [], 0), frozenset()))
    assert document.frames_missing_at(b"\x00") == [make_step2(EMPTY_UPDATE)]
