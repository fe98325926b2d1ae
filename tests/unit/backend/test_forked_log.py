"""A log that was continued by others: survivors put back what each of them holds."""

import asyncio
import json

import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.settings.settings import BackendSettings
from isshoni.backend.store.ports import Entry
from isshoni.session.messages import ChatEnvelope, Position, encode_envelope
from isshoni.session.recovery import LostEntry
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import Peer

SETTINGS = BackendSettings(admin_token="a", ticket_secret="s" * 32, recovery_seconds=1.0)


class Process:
    """One backend process and its client."""

    def __init__(self, server: FakeServer) -> None:
        self.store = FakeSessionStore(server)
        self.context = BackendContext(SETTINGS, self.store)
        self.manager = WebSocketManager(self.context)
        self.client = Peer(self.manager)


def texts_of(server: FakeServer) -> list[str]:
    return [json.loads(entry.payload)["text"] for entry in server.sessions["s"].chat]


def envelope(client_id: str, n: int, text: str) -> bytes:
    return encode_envelope(ChatEnvelope(client_id, n, text, at=1))


async def say(process: Process, numbers: range) -> None:
    for n in numbers:
        process.client.say(type="chat", n=n, text=f"ann {n}")
    await process.client.wait_for("ack", numbers[-1])


async def test_each_survivor_adds_what_it_alone_heard() -> None:
    server = FakeServer()
    blue, green, other = Process(server), Process(server), FakeSessionStore(server)
    for process, name in ((blue, "ann"), (green, "bob")):
        await process.client.restore(client_id=name)
    await say(blue, range(1, 5))
    await green.client.wait_for("chat", 4)
    green.store.fail()  # it hears no more
    await say(blue, range(5, 6))
    await blue.client.wait_for("chat", 5)
    blue.store.fail()
    server.lose_tail("s", 2)
    for n in (1, 2, 3):
        await other.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))
    green.store.recover()
    await wait_until(lambda: len(server.sessions["s"].chat) == 7, "green put back what it held")
    assert texts_of(server) == ["ann 1", "ann 2", "eve 1", "eve 2", "eve 3", "ann 3", "ann 4"]
    blue.store.recover()
    await wait_until(lambda: len(server.sessions["s"].chat) == 8, "blue adds what it alone had")
    assert texts_of(server)[7:] == ["ann 5"]
    assert server.sessions["s"].clients["ann"] == 5
    assert green.context.counters.logs_forked == 1
    assert blue.context.counters.messages_put_back == 1


async def test_what_its_sender_sent_again_is_not_put_back_a_second_time() -> None:
    server = FakeServer()
    blue, other = Process(server), FakeSessionStore(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 6))
    await blue.client.wait_for("chat", 5)
    blue.store.fail()
    server.lose_tail("s", 2)
    await other.append_chat("s", "ann", 3, envelope("ann", 3, "ann 3"))
    # A page that was loaded again counts on from what the log says, with another text.
    await other.append_chat("s", "ann", 4, envelope("ann", 4, "typed after the reload"))
    blue.store.recover()
    await wait_until(lambda: len(server.sessions["s"].chat) >= 6, "what is lacking is put back")
    expected = ["ann 1", "ann 2", "ann 3", "typed after the reload", "ann 4", "ann 5"]
    assert texts_of(server) == expected


async def test_other_bytes_of_the_same_message_are_no_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a change of keys, which seals every entry again."""
    monkeypatch.setattr("isshoni.backend.live.comparison.COMPARE_SECONDS", 0.0)
    server = FakeServer()
    blue = Process(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 4))
    await blue.client.wait_for("chat", 3)
    session = server.sessions["s"]
    before = session.epoch
    session.chat = [
        Entry(entry.seq, entry.payload, stored=b"sealed " + entry.payload) for entry in session.chat
    ]
    blue.client.say(type="chat", n=4, text="ann 4")
    assert (await blue.client.wait_for("error"))["code"] == "not_saved"
    await wait_until(lambda: _takes(blue, 4), "it is taken once the log was looked at")
    assert server.sessions["s"].epoch == before
    assert texts_of(server) == ["ann 1", "ann 2", "ann 3", "ann 4"]


def _takes(process: Process, n: int) -> bool:
    process.client.say(type="chat", n=n, text=f"ann {n}")
    return len(process.client.of("ack")) >= n


async def test_a_merge_that_meets_a_log_grown_meanwhile_reads_it_again() -> None:
    server = FakeServer()
    store, other = FakeSessionStore(server), FakeSessionStore(server)
    epoch = (await store.open_session("s")).epoch
    await other.append_chat("s", "eve", 1, envelope("eve", 1, "eve 1"))
    lost = [LostEntry(1, "ann", 1, envelope("ann", 1, "ann 1"))]
    assert await store.merge_chat("s", Position(epoch, 0), lost, begin_epoch=True) is None
    assert texts_of(server) == ["eve 1"]


@pytest.mark.parametrize("others", [3, 4, 40])
async def test_a_fork_is_seen_also_when_the_new_primary_is_heard_first(others: int) -> None:
    """What it publishes can continue the numbers that this process knows, or skip some."""
    server = FakeServer()
    blue, other = Process(server), FakeSessionStore(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 6))
    await blue.client.wait_for("chat", 5)
    blue.store.fail()
    server.lose_tail("s", 2)
    for n in range(1, others + 1):
        await other.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))
    blue.store.failing = False  # it hears again, and does not know yet that it heard nothing
    await other.append_chat("s", "eve", others + 1, envelope("eve", others + 1, "heard first"))
    await asyncio.sleep(0)
    blue.store.recover()
    total = 2 + others + 1 + 3
    await wait_until(lambda: len(server.sessions["s"].chat) == total, "ann's are put back")
    assert texts_of(server)[-3:] == ["ann 3", "ann 4", "ann 5"]
    assert blue.context.counters.logs_forked == 1


async def test_what_is_appended_before_the_fork_is_seen_is_in_the_log_once() -> None:
    server = FakeServer()
    blue, other = Process(server), FakeSessionStore(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 6))
    await blue.client.wait_for("chat", 5)
    blue.store.fail()
    server.lose_tail("s", 3)
    for n in range(1, 3):
        await other.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))
    server.sessions["s"].clients["ann"] = 5  # as if its sender had been first
    blue.store.failing = False
    blue.client.say(type="chat", n=6, text="ann 6")
    await blue.client.wait_for("ack", 6)
    blue.store.recover()
    await wait_until(lambda: len(server.sessions["s"].chat) == 8, "ann's are put back")
    expected = ["ann 1", "ann 2", "ann 3", "eve 1", "eve 2", "ann 6", "ann 4", "ann 5"]
    assert texts_of(server) == expected


async def test_a_client_that_comes_during_the_check_of_the_same_proof_waits_too() -> None:
    """Two clients come to a process that has read the short log; both were given more."""
    server = FakeServer()
    blue, green = Process(server), Process(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 6))
    event = await blue.client.wait_for("chat", 5)
    blue.store.fail()
    server.lose_tail("s", 3)
    await green.client.restore(client_id="bob")
    position = {"epoch": server.sessions["s"].epoch, "seq": 5}
    newcomers = [Peer(green.manager) for _ in range(2)]
    for number, peer in enumerate(newcomers):
        request = {"type": "restore_session", "session_id": "s", "client_id": f"c-{number}"}
        restore = {**request, "position": position, "held": event, "can": ["replica"]}
        text = json.dumps(restore, separators=(",", ":"))  # an event as the bytes that came
        peer.inbox.put_nowait({"type": "websocket.receive", "text": text})
    for peer in newcomers:
        await peer.wait_for("error")
        assert [answer["code"] for answer in peer.of("error")] == ["not_ready"]
        assert peer.of("session_restored") == []
