"""What must be read again after a hole is read, however often Redis refuses that."""

import asyncio
import json
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live import live_canvas
from isshoni.backend.live.log_feed import LogFeed
from isshoni.backend.live.rereads import Rereads
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.store.ports import CanvasLog, Entry, Head
from isshoni.backend.store.redis.link import ErrorReply
from isshoni.session.sync import make_awareness, make_step1
from tests.support.cut_updates import UPDATES
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer


class RefusingStore(FakeSessionStore):
    """A store whose Redis answers some calls with an error; the connection stays."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server)
        self.refused: dict[str, int] = {}

    def _refuse(self, what: str) -> None:
        if self.refused.get(what, 0):
            self.refused[what] -= 1
            raise ErrorReply("LOADING Redis is loading the dataset in memory")

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        self._refuse("open")
        return await super().open_session(session_id, epoch=epoch)

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        self._refuse("chat")
        return await super().read_chat(session_id, after=after, limit=limit)

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        self._refuse("canvas")
        return await super().read_canvas(session_id, after=after)

    async def load_canvas(self, session_id: str) -> CanvasLog:
        self._refuse("load")
        return await super().load_canvas(session_id)

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        self._refuse("awareness")
        await super().publish_awareness(session_id, payload)


async def draw(store: FakeSessionStore, element_id: str) -> None:
    """Append one element through another process."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.get("elements", type=pycrdt.Map)[element_id] = "drawn"
    await store.append_canvas("s", doc.get_update())


@pytest.mark.spec("A4")
@pytest.mark.parametrize("what", ["open", "chat", "canvas"])
async def test_what_was_missed_is_seen_although_redis_refuses_the_re_read(what: str) -> None:
    server = FakeServer()
    store, other = RefusingStore(server), FakeSessionStore(server)
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    ann = Peer(manager)
    await ann.restore(client_id="ann")  # no canvas of its own: it is told the elements
    store.fail()
    envelope = {"client_id": "bob", "n": 1, "text": "unheard", "at": 1}
    await other.append_chat("s", "bob", 1, json.dumps(envelope).encode())
    await draw(other, "unseen")
    store.refused[what] = 3
    store.recover()
    # Nothing else is said: nothing else would bring it.
    assert (await ann.wait_for("chat"))["text"] == "unheard"
    await wait_until(lambda: ann.of("canvas"), "the element")
    assert store.refused[what] == 0


@pytest.mark.spec("A4")
async def test_a_canvas_that_redis_refuses_to_load_again_is_loaded_in_the_end() -> None:
    server = FakeServer()
    store, other = RefusingStore(server), FakeSessionStore(server)
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    store.fail()
    await draw(other, "unseen")
    await other.compact_canvas("s", (await other.load_canvas("s")).updates[0].payload, upto=1)
    store.refused["load"] = 1
    store.recover()
    await wait_until(lambda: ann.of("canvas"), "the element")


async def test_a_pointer_that_redis_refused_to_publish_is_published() -> None:
    server = FakeServer()
    store, other = RefusingStore(server), FakeSessionStore(server)
    heard: list[bytes] = []
    await other.subscribe("s", lambda published: heard.append(published.payload))
    ann = Peer(WebSocketManager(BackendContext(SETTINGS, store)))
    await ann.restore(client_id="ann", can=["canvas"])
    ann.say_bytes(make_step1(pycrdt.Doc()))
    store.refused["awareness"] = 1
    state = b"\x01\x07\x01\x02{}"
    ann.say_bytes(make_awareness(state))
    await wait_until(lambda: state in heard, "the pointer is told")


async def test_who_left_is_told_although_redis_refused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_canvas, "LEFT_AFTER_SECONDS", 0.0)
    server = FakeServer()
    store, other = RefusingStore(server), FakeSessionStore(server)
    heard: list[bytes] = []
    await other.subscribe("s", lambda published: heard.append(published.payload))
    ann = Peer(WebSocketManager(BackendContext(SETTINGS, store)))
    await ann.restore(client_id="ann", can=["canvas"])
    ann.say_bytes(make_awareness(b"\x01\x07\x01\x02{}"))
    await wait_until(lambda: heard, "ann is there")
    store.refused["awareness"] = 1
    ann.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await ann.task
    await wait_until(lambda: heard[-1] == b"\x01\x07\x01\x04null", "ann has left")


async def test_a_re_read_asked_for_while_one_runs_is_one_more() -> None:
    begun, go = 0, asyncio.Event()

    async def reread() -> None:
        nonlocal begun
        begun += 1
        await go.wait()

    rereads = Rereads("s", reread)
    rereads.start()
    await wait_until(lambda: begun == 1, "the first")
    rereads.start()
    rereads.start()
    go.set()
    await wait_until(lambda: begun == 2, "the second")
    rereads.stop()


async def test_a_feed_that_is_stopped_while_it_reads_cancels_nobody_who_waits() -> None:
    reading = asyncio.Event()

    async def read(after: int) -> list[Entry]:
        reading.set()
        await asyncio.Event().wait()
        return []

    feed = LogFeed(read, lambda entry: None, lambda: None)
    feed.start(0)
    waiting = asyncio.create_task(feed.catch_up())
    await reading.wait()
    feed.stop()
    await asyncio.wait([waiting])
    assert not waiting.cancelled()


@pytest.mark.spec("A4")
async def test_an_edit_during_a_re_read_that_overlaps_a_reload_is_in_the_document() -> None:
    server = FakeServer()
    store, other = FakeSessionStore(server), FakeSessionStore(server)
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    load, loads, go_on = store.load_canvas, 0, asyncio.Event()

    async def load_slowly(session_id: str) -> CanvasLog:
        nonlocal loads
        loads += 1
        log = await load(session_id)
        await go_on.wait()
        return log

    store.load_canvas = load_slowly  # type: ignore[method-assign]
    await draw(other, "kept")
    for update in UPDATES:  # one cuts a character: the document is loaded again
        await other.append_canvas("s", update)
    await wait_until(lambda: loads == 1, "the document is loaded again")
    await draw(other, "new")
    reads, read = 0, store.read_chat

    async def count_reads(session_id: str, *, after: int, limit: int) -> list[Entry]:
        nonlocal reads
        reads += 1
        return await read(session_id, after=after, limit=limit)

    store.read_chat = count_reads  # type: ignore[method-assign]
    store.recover()
    await wait_until(lambda: reads > 0, "the log is read again during the load")
    for _ in range(100):  # the canvas comes after the chat
        await asyncio.sleep(0)
    go_on.set()
    await wait_until(lambda: "new" in _seen_by(ann), "it is sent")
    bob = Peer(manager)
    assert (await bob.restore(client_id="bob"))["canvas_state"].keys() >= {"kept", "new"}


def _seen_by(peer: Peer) -> set[str]:
    return {element_id for frame in peer.of("canvas") for element_id in frame["elements"]}
