"""Clients that come from an earlier epoch: what only they hold of it goes into the log."""

import json
from functools import partial
from typing import Any

import pytest

from isshoni.backend.live.log_merge import save_copies
from isshoni.backend.store.ports import Entry
from isshoni.session.close_codes import CloseCode
from isshoni.session.recovery import LostEntry, read_entry
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import Peer
from tests.unit.backend.test_forked_log import Process, envelope, texts_of


class Holder:
    """A client that heard a log, and comes back with its copy."""

    def __init__(self, epoch: str, events: list[dict[str, Any]]) -> None:
        self.epoch = epoch
        self.events = events

    async def restore(self, process: Process) -> int:
        """Restore, handing the copy over if asked; return how often that was."""
        restored, asked = len(process.client.of("session_restored")), 0
        while len(process.client.of("session_restored")) == restored:
            asked += await self.ask(process)
        return asked

    async def ask(self, process: Process) -> int:
        """Ask once to be restored, and hand the copy over if asked; return how often."""
        peer, held = process.client, self.events[-1]
        recalls = len(peer.of("recall"))
        answers = len(peer.of("session_restored")) + len(peer.of("error"))
        request = {"type": "restore_session", "session_id": "s", "client_id": "carl"}
        position = {"epoch": self.epoch, "seq": held["seq"]}
        _say(peer, **request, can=["replica"], position=position, held=held)
        await wait_until(partial(_is_answered, peer, answers), "an answer")
        for recall in peer.of("recall")[recalls:]:
            lacking = [event for event in self.events if event["seq"] > recall["after"]]
            _say(peer, type="recalled", epoch=recall["epoch"], events=lacking)
        return len(peer.of("recall")) - recalls


def _is_answered(peer: Peer, before: int) -> bool:
    return len(peer.of("session_restored")) + len(peer.of("error")) > before


def _say(peer: Peer, **message: Any) -> None:
    text = json.dumps(message, separators=(",", ":"))  # events as the bytes that came
    peer.inbox.put_nowait({"type": "websocket.receive", "text": text})


async def _hear(server: FakeServer, texts: list[tuple[str, int]]) -> Holder:
    """Append messages, and return a client that heard them; its process has ended."""
    process, writer = Process(server), FakeSessionStore(server)
    restored = await process.client.restore(client_id="carl")
    for author, n in texts:
        await writer.append_chat("s", author, n, envelope(author, n, f"{author} {n}"))
    await process.client.wait_for("chat", len(texts))
    events = process.client.of("chat")
    await process.client.leave()
    process.store.fail()
    return Holder(restored["position"]["epoch"], events)


def _begin_epoch(server: FakeServer) -> None:
    server.sessions["s"].epoch = server.make_epoch()


@pytest.mark.spec("A4")
async def test_messages_of_others_before_one_that_the_log_knows_are_put_back() -> None:
    server = FakeServer()
    carl = await _hear(server, [("bob", 1), ("bob", 2), ("bob", 3), ("ann", 1)])
    server.lose_tail("s", 1)
    _begin_epoch(server)
    # The author of the last message has sent it again; the others are gone.
    await FakeSessionStore(server).append_chat("s", "ann", 1, envelope("ann", 1, "ann 1"))
    blue = Process(server)
    assert await carl.restore(blue) == 1
    assert texts_of(server) == ["bob 1", "ann 1", "bob 2", "bob 3"]
    assert blue.context.counters.messages_put_back == 2


@pytest.mark.spec("A4")
async def test_a_copy_that_was_taken_is_not_asked_for_again() -> None:
    server = FakeServer()
    carl = await _hear(server, [("bob", n) for n in range(1, 5)])
    earlier = Holder(carl.epoch, carl.events[:3])
    _begin_epoch(server)
    blue = Process(server)
    assert await carl.restore(blue) == 1
    assert await earlier.restore(blue) == 0
    assert await carl.restore(blue) == 0
    assert texts_of(server) == ["bob 1", "bob 2", "bob 3", "bob 4"]


def _copy(count: int) -> list[LostEntry]:
    return [read_entry(n, _dated("bob", n)) for n in range(1, count + 1)]


def _dated(author: str, n: int) -> bytes:
    return envelope(author, n, f"{author} {n}").replace(b'"at":1', b'"at":%d' % (1000 + n))


class TrimmedStore(FakeSessionStore):
    """A store whose log begins at seq 11."""

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        return await super().read_chat(session_id, after=max(after, 10), limit=limit)


@pytest.mark.spec("A4")
async def test_what_was_put_back_and_trimmed_since_is_not_put_back_again() -> None:
    """An emptied log begins at seq 1 again, so seqs do not say what it had."""
    store = TrimmedStore()
    for n in range(11, 41):
        await store.append_chat("s", "bob", n, _dated("bob", n))
    # The entry at seq 11 is bob 21: bob 11 to bob 20 were at 1 to 10.
    merged = await save_copies(store, "s", "earlier", _copy(30))
    assert merged.count == 0
    merged = await save_copies(store, "s", "earlier", _copy(45))
    assert merged.count == 5


@pytest.mark.spec("A4")
async def test_a_session_learns_of_the_epoch_that_saving_a_copy_met() -> None:
    server = FakeServer()
    carl = await _hear(server, [("bob", 1), ("bob", 2)])
    _begin_epoch(server)
    blue = Process(server)
    ann = Peer(blue.manager)
    await ann.restore(client_id="ann")
    # The store notes each epoch that it opens: then another one's birth is no news to it.
    blue.store.hear_birth = lambda *_: None  # type: ignore[method-assign]
    _begin_epoch(server)
    server.lose_tail("s", 1)
    assert await carl.ask(blue) == 1
    await wait_until(lambda: ann.code == CloseCode.RESUME, "the session begins again")
    assert texts_of(server) == ["bob 1", "bob 2"]


@pytest.mark.spec("A4")
async def test_a_copy_that_is_put_back_under_the_present_epoch_resets_nothing() -> None:
    server = FakeServer()
    carl = await _hear(server, [("bob", 1), ("bob", 2)])
    server.lose_tail("s", 1)
    _begin_epoch(server)
    blue = Process(server)
    ann = Peer(blue.manager)
    restored = await ann.restore(client_id="ann")
    assert await carl.restore(blue) == 1
    blue.store.hear_birth("s", restored["position"]["epoch"])
    ann.say(type="chat", n=1, text="ann 1")
    await ann.wait_for("chat", 2)
    assert texts_of(server) == ["bob 1", "bob 2", "ann 1"]
    assert ann.code is None
