"""Many clients come back at once: each gets its turn, none is closed, none asked to wait twice."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live import restore_gate
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.store.ports import CanvasLog, ClientStanding, Entry
from isshoni.session.close_codes import CloseCode
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer

STEP1 = b"\x00\x00\x01\x00"
MANY = 100


class SlowStore(FakeSessionStore):
    """A store that answers restores only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()
        self.most_at_once = self._now = 0
        self.asked: list[str] = []

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.asked.append(client_id)
        await self.answers.wait()
        self._now -= 1
        return await super().read_standing(session_id, client_id)


class HeavySession(SlowStore):
    """A store with one session, `heavy`, that takes as long to load as the test likes."""

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        if session_id == "heavy":
            await self.answers.wait()
        return await super().read_recent_chat(session_id, limit=limit)

    async def load_canvas(self, session_id: str) -> CanvasLog:
        if session_id == "heavy":
            await self.answers.wait()
        return await super().load_canvas(session_id)

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        return await FakeSessionStore.read_standing(self, session_id, client_id)


def serve(store: FakeSessionStore) -> tuple[WebSocketManager, BackendContext]:
    context = BackendContext(SETTINGS, store)
    return WebSocketManager(context), context


def ask(peer: Peer, session_id: str = "s", **fields: Any) -> None:
    peer.say(type="restore_session", session_id=session_id, **fields)


async def come_back(manager: WebSocketManager, store: SlowStore) -> list[Peer]:
    """Let many clients ask while the store does not answer."""
    await Peer(manager).restore(client_id="first")  # so that the session is loaded
    store.answers.clear()
    store.asked.clear()
    peers = [Peer(manager) for _ in range(MANY)]
    for number, peer in enumerate(peers):
        ask(peer, client_id=f"c{number}")
        await asyncio.sleep(0)
    await wait_until(lambda: manager._gate.queued > MANY / 2, "a queue")
    return peers


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announce the wait to every client that has to queue."""
    monkeypatch.setattr(restore_gate, "PATIENCE_SECONDS", 0.0)


async def test_restores_run_few_at_once_and_in_order() -> None:
    store = SlowStore()
    manager, _ = serve(store)
    peers = await come_back(manager, store)
    store.answers.set()
    for peer in peers:
        await peer.wait_for("session_restored")
    assert store.most_at_once < MANY / 2
    assert store.asked == [f"c{number}" for number in range(MANY)]


@pytest.mark.usefixtures("impatient")
async def test_a_client_is_asked_to_wait_once_and_restored_without_asking_again() -> None:
    store = SlowStore()
    manager, context = serve(store)
    peers = await come_back(manager, store)
    announced = await peers[-1].wait_for("error")
    assert announced["code"] == "not_ready"
    assert announced["retry_after_ms"] > 0
    store.answers.set()
    for peer in peers:
        await peer.wait_for("session_restored")
        assert len(peer.of("error")) <= 1
        assert peer.code is None
    assert context.counters.bad_frames == 0


@pytest.mark.usefixtures("impatient")
async def test_a_client_of_an_earlier_version_that_asks_again_at_once_is_restored() -> None:
    store = SlowStore()
    manager, _ = serve(store)
    peers = await come_back(manager, store)
    ask(peers[-1], client_id=f"c{MANY - 1}")
    store.answers.set()
    await peers[-1].wait_for("session_restored", 2)
    assert len(peers[-1].of("error")) == 1
    assert peers[-1].code is None


@pytest.mark.usefixtures("impatient")
async def test_a_plain_yjs_client_has_its_turn_and_is_sent_no_json() -> None:
    store = SlowStore()
    manager, _ = serve(store)
    await come_back(manager, store)
    stock = Peer(manager)
    stock.say_bytes(STEP1)
    stock.say_bytes(make_awareness_of_nobody())
    await asyncio.sleep(0.01)
    assert stock.frames == []
    store.answers.set()
    await wait_until(lambda: len(stock.frames) >= 2, "step 2 and step 1")
    assert all(isinstance(frame, bytes) for frame in stock.frames)
    assert stock.code is None


def make_awareness_of_nobody() -> bytes:
    return b"\x01\x01\x00"


async def test_a_client_that_left_the_queue_is_not_restored_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isshoni.backend.live.reader._GONE_AFTER_SECONDS", 0.0)
    store = SlowStore()
    manager, context = serve(store)
    peers = await come_back(manager, store)
    peers[-1].inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    store.answers.set()
    for peer in peers[:-1]:
        await peer.wait_for("session_restored")
    await peers[-1].task
    assert f"c{MANY - 1}" not in store.asked
    assert context.counters.connections_failed == 0


async def test_a_frame_that_arrives_in_the_queue_is_handled_after_the_restore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isshoni.backend.live.reader._GONE_AFTER_SECONDS", 0.0)
    store = SlowStore()
    manager, _ = serve(store)
    peers = await come_back(manager, store)
    peers[-1].say(type="chat", n=1, text="typed early")
    store.answers.set()
    assert (await peers[-1].wait_for("ack"))["n"] == 1


async def test_a_connection_that_is_closed_in_the_queue_is_no_fault() -> None:
    store = SlowStore()
    manager, context = serve(store)
    peers = await come_back(manager, store)
    await store.delete_session("s")
    await wait_until(lambda: peers[-1].code == CloseCode.DELETED, "the close")
    store.answers.set()
    for peer in peers:
        await peer.task
    assert context.counters.connections_failed == 0


async def test_a_client_in_the_queue_is_not_closed_for_having_sent_nothing() -> None:
    store = SlowStore()
    limits = replace(SETTINGS.limits, hello_seconds=0.0)
    manager = WebSocketManager(BackendContext(replace(SETTINGS, limits=limits), store))
    peers = await come_back(manager, store)
    silent = Peer(manager)
    await asyncio.sleep(0.01)
    for connection in manager.connections_by_session()[0]:
        connection.check_time(time.time())
    assert silent.code == CloseCode.NO_HELLO
    store.answers.set()
    for peer in peers:
        await peer.wait_for("session_restored")
        assert peer.code is None


async def test_a_process_that_stops_first_restores_those_who_had_asked() -> None:
    store = SlowStore()
    manager, _ = serve(store)
    peers = await come_back(manager, store)
    finishing = asyncio.create_task(manager.finish_all())
    await asyncio.sleep(0.01)
    store.answers.set()
    await finishing
    assert all(peer.of("session_restored") for peer in peers)
    assert {peer.code for peer in peers} == {CloseCode.SERVICE_RESTART}


@pytest.mark.parametrize("chat_is_loaded", [False, True])
async def test_a_session_that_loads_slowly_holds_up_no_other_session(chat_is_loaded: bool) -> None:
    store = HeavySession()
    manager, _ = serve(store)
    if chat_is_loaded:
        first = Peer(manager, "heavy")
        ask(first, "heavy", can=["canvas"])
        await first.wait_for("session_restored")
    store.answers.clear()
    heavy = [Peer(manager, "heavy") for _ in range(MANY)]
    for number, peer in enumerate(heavy):
        ask(peer, "heavy", client_id=f"c{number}")
    await asyncio.sleep(0.01)
    await Peer(manager).restore(client_id="me")
    store.answers.set()
    for peer in heavy:
        await peer.wait_for("session_restored")
