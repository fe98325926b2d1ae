"""Connections and sessions on the fake store: every fault that Redis can have."""

import asyncio
import json
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT
from isshoni.backend.live.reader import Reader
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.settings.settings import BackendSettings
from isshoni.backend.store.ports import Appended, Behind, Duplicate, Gap, Listener, Published
from isshoni.session.close_codes import CloseCode
from isshoni.session.sync import make_awareness, make_step1, make_update
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until

SETTINGS = BackendSettings(admin_token="a", ticket_secret="s" * 32)


class DeafStore(FakeSessionStore):
    """A store whose subscription loses what `is_lost` says."""

    lost_seqs: frozenset[int] = frozenset()

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        def hear(published: Published) -> None:
            if published.seq not in self.lost_seqs:
                listener(published)

        await super().subscribe(session_id, hear)


class FailingOnce(FakeSessionStore):
    """A store that refuses some writes of chat, and takes those after."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = 0

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        **known: Any,
    ) -> Appended | Duplicate | Gap | Behind:
        self.failing, self.refuses = self.refuses > 0, max(0, self.refuses - 1)
        try:
            return await super().append_chat(session_id, client_id, n, envelope, **known)
        finally:
            self.failing = False


class GatedStore(FakeSessionStore):
    """A store whose chat writes wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        **known: Any,
    ) -> Appended | Duplicate | Gap | Behind:
        await self.gate.wait()
        return await super().append_chat(session_id, client_id, n, envelope, **known)


class Peer:
    """A client on an ASGI connection."""

    def __init__(self, manager: WebSocketManager, session_id: str = "s") -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.frames: list[Any] = []
        self.code: int | None = None
        self.inbox.put_nowait({"type": "websocket.connect"})
        scope: dict[str, Any] = {"query_string": b"", "headers": [], "client": None}
        self.task = asyncio.create_task(
            manager.serve(session_id, scope, self.inbox.get, self._take)
        )

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.code = message["code"]
            self.inbox.put_nowait({"type": "websocket.disconnect", "code": self.code})
        elif message["type"] == "websocket.send":
            text = message.get("text")
            self.frames.append(message["bytes"] if text is None else json.loads(text))

    def say(self, **message: Any) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def say_bytes(self, frame: bytes) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "bytes": frame})

    async def restore(self, **fields: Any) -> dict[str, Any]:
        self.say(type="restore_session", session_id="s", **fields)
        return await self.wait_for("session_restored")

    def of(self, kind: str) -> list[Any]:
        return [f for f in self.frames if isinstance(f, dict) and f["type"] == kind]

    async def wait_for(self, kind: str, count: int = 1) -> dict[str, Any]:
        await wait_until(lambda: len(self.of(kind)) >= count, f"{count} x {kind}")
        found: dict[str, Any] = self.of(kind)[count - 1]
        return found

    async def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.task


def _manager(store: FakeSessionStore) -> tuple[WebSocketManager, BackendContext]:
    context = BackendContext(SETTINGS, store)
    return WebSocketManager(context), context


@pytest.mark.spec("A4")
async def test_a_lost_publication_is_read_from_the_log() -> None:
    store = DeafStore()
    store.lost_seqs = frozenset({2, 3})
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    for n in range(1, 5):
        ann.say(type="chat", n=n, text="x")
    await ann.wait_for("chat", 4)
    assert [event["seq"] for event in ann.of("chat")] == [1, 2, 3, 4]
    await ann.leave()


@pytest.mark.spec("A4")
async def test_after_a_reconnect_what_was_missed_is_read() -> None:
    server = FakeServer()
    store, other = FakeSessionStore(server), FakeSessionStore(server)
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    store.fail()
    await other.append_chat("s", "bob", 1, b'{"client_id":"bob","n":1,"text":"x","at":1}')
    store.recover()
    await ann.wait_for("chat")
    await ann.leave()


@pytest.mark.spec("A4")
async def test_a_log_that_redis_lost_sends_everybody_back_to_restore() -> None:
    server = FakeServer()
    store = FakeSessionStore(server)
    manager, _ = _manager(store)
    ann = Peer(manager)
    position = (await ann.restore(client_id="ann"))["position"]
    server.lose_everything()
    server.open("s")  # by somebody who does not know the old log
    store.recover()
    await wait_until(lambda: ann.code == CloseCode.RESUME, "the connection is closed")
    await ann.task
    again = Peer(manager)
    restored = await again.restore(client_id="ann", position=position)
    assert restored["mode"] == "full"
    assert restored["position"]["epoch"] != position["epoch"]
    await again.leave()


@pytest.mark.spec("A4")
async def test_a_new_clients_first_message_is_never_skipped() -> None:
    store = FailingOnce()
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    store.refuses = 1
    for n in (1, 2, 3):
        ann.say(type="chat", n=n, text=str(n))
    await ann.wait_for("error", 3)
    assert [(e["code"], e["n"]) for e in ann.of("error")] == [
        ("not_saved", 1),
        ("gap", 2),
        ("gap", 3),
    ]
    for n in (1, 2, 3):
        ann.say(type="chat", n=n, text=str(n))
    await ann.wait_for("chat", 3)
    assert [event["text"] for event in ann.of("chat")] == ["1", "2", "3"]
    assert [ack["seq"] for ack in ann.of("ack")] == [1, 2, 3]
    await ann.leave()


@pytest.mark.spec("A4")
async def test_a_client_that_the_log_forgets_while_it_is_here_loses_no_message() -> None:
    store = FailingOnce()
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    for n in range(1, 6):
        ann.say(type="chat", n=n, text=str(n))
    await ann.wait_for("ack", 5)
    store.server.sessions["s"].clients.clear()  # silent for longer than the window
    store.refuses = 1
    ann.say(type="chat", n=6, text="6")
    await ann.wait_for("error")
    ann.say(type="chat", n=7, text="7")
    gap = await ann.wait_for("error", 2)
    assert (gap["code"], gap["n"], gap["expected"]) == ("gap", 7, 6)
    for n in (6, 7):
        ann.say(type="chat", n=n, text=str(n))
    await ann.wait_for("ack", 7)
    assert [event["text"] for event in ann.of("chat")] == [str(n) for n in range(1, 8)]
    await ann.leave()


async def test_a_session_that_cannot_be_read_is_not_ready_and_asked_again() -> None:
    store = FakeSessionStore()
    manager, context = _manager(store)
    ann = Peer(manager)
    store.fail()
    ann.say(type="restore_session", session_id="s")
    assert (await ann.wait_for("error"))["code"] == "not_ready"
    store.recover()
    await ann.restore()
    assert context.counters.restore_failures == 1
    await ann.leave()


@pytest.mark.spec("A4")
async def test_an_edit_that_redis_did_not_take_ends_the_connection() -> None:
    store = FakeSessionStore()
    manager, _ = _manager(store)
    ann = Peer(manager)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    ann.say_bytes(make_step1(doc))
    await wait_until(lambda: len(ann.frames) == 2, "both steps came")
    doc.get("elements", type=pycrdt.Map)["a"] = 1
    store.fail()
    ann.say_bytes(make_update(doc.get_update()))
    await wait_until(lambda: ann.code == CloseCode.INTERNAL_ERROR, "it is closed")
    await ann.task


async def test_poison_in_the_canvas_log_is_skipped_and_counted() -> None:
    store = FakeSessionStore()
    manager, context = _manager(store)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    elements["a"] = 1
    await store.append_canvas("s", doc.get_update())
    await store.append_canvas("s", b"poison before loading")
    ann = Peer(manager)
    assert (await ann.restore())["canvas_state"] == {"a": 1}
    assert context.counters.canvas_poison == 1
    await store.append_canvas("s", b"poison while live")
    before = doc.get_state()
    elements["b"] = 2
    await store.append_canvas("s", doc.get_update(before))
    await wait_until(
        lambda: any("b" in change["elements"] for change in ann.of("canvas")), "b came"
    )
    assert context.counters.canvas_poison == 2
    assert ann.code is None
    await ann.leave()


async def test_awareness_of_an_older_connection_is_dropped() -> None:
    manager, _ = _manager(FakeSessionStore())
    old, new = Peer(manager), Peer(manager)
    await old.restore(client_id="ann", generation=1, can=["canvas"])
    await new.restore(client_id="ann", generation=2, can=["canvas"])
    for peer in (old, new):
        peer.say_bytes(make_step1(pycrdt.Doc()))
    await wait_until(lambda: len(new.frames) >= 3, "the new one is in sync")
    late, fresh = (make_awareness(b"\x01\x05%c\x02{}" % clock) for clock in (1, 2))
    old.say_bytes(late)
    old.say(type="ping")
    await old.wait_for("pong")
    new.say_bytes(fresh)
    await wait_until(lambda: fresh in old.frames, "the fresh one came")
    assert late not in new.frames
    await old.leave()
    await new.leave()


@pytest.mark.spec("A4")
async def test_finishing_acknowledges_everything_that_had_come() -> None:
    manager, context = _manager(FakeSessionStore())
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    for n in range(1, 301):
        ann.say(type="chat", n=n, text="x")
    await manager.finish_all()
    assert ann.code == CloseCode.SERVICE_RESTART
    assert [ack["n"] for ack in ann.of("ack")] == list(range(1, 301))
    assert context.counters.messages == 300


@pytest.mark.spec("A4")
async def test_finishing_waits_for_the_writes_that_are_under_way() -> None:
    store = GatedStore()
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    ann.say(type="chat", n=1, text="x")
    await ann.wait_for("ack")
    store.gate.clear()
    for n in range(2, 12):
        ann.say(type="chat", n=n, text="x")
    ann.say(type="ping")
    await ann.wait_for("pong")
    finishing = asyncio.create_task(manager.finish_all())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ann.code is None
    store.gate.set()
    await finishing
    assert [ack["n"] for ack in ann.of("ack")] == list(range(1, 12))


@pytest.mark.spec("A4")
async def test_finishing_waits_for_a_frame_that_came_while_the_writes_were_waited_for() -> None:
    store = GatedStore()
    manager, _ = _manager(store)
    ann = Peer(manager)
    await ann.restore(client_id="ann")
    ann.say(type="chat", n=1, text="x")
    await ann.wait_for("ack")
    store.gate.clear()
    full = 1 + MAX_IN_FLIGHT
    for n in range(2, full + 1):
        ann.say(type="chat", n=n, text="x")
    ann.say(type="ping")
    await ann.wait_for("pong")
    finishing = asyncio.create_task(manager.finish_all())
    await asyncio.sleep(0)
    ann.say(type="chat", n=full + 1, text="waits for the same writes as the end does")
    for _ in range(5):
        await asyncio.sleep(0)
    store.gate.set()
    await finishing
    written = (await store.read_standing("s", "ann")).last_n
    assert [ack["n"] for ack in ann.of("ack")] == list(range(1, written + 1))


async def test_a_fault_of_ours_ends_one_connection_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager, context = _manager(FakeSessionStore())
    ann, bob = Peer(manager), Peer(manager)
    await bob.restore(client_id="bob")

    async def fail(self: Reader, request: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "_restore", fail)
        ann.say(type="restore_session", session_id="s")
        await wait_until(lambda: ann.code == CloseCode.INTERNAL_ERROR, "ann is closed")
    bob.say(type="chat", n=1, text="x")
    await bob.wait_for("ack")
    assert context.counters.connections_failed == 1
    await bob.leave()
    await ann.task


async def test_what_is_remembered_of_clients_that_are_gone_is_bounded() -> None:
    manager, _ = _manager(FakeSessionStore())
    ann = Peer(manager)
    await ann.restore(client_id="ann", generation=7)
    audience = manager._session("s").audience
    for number in range(1000):
        audience.record_generation(f"gone-{number}", 1)
    assert len(audience._generations) < 100
    assert audience.newest_generation("ann") == 7
    await ann.leave()
