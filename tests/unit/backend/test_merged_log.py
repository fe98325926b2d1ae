"""A log that is put back after a failover: each message once, and nothing acknowledged missing."""

import asyncio
from dataclasses import replace
from typing import Any

import pycrdt
import pytest

from isshoni.backend.store.ports import Behind, Head
from isshoni.session.messages import Position
from isshoni.session.sync import make_step1, make_update
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_forked_log import Process, envelope, say, texts_of

QUIET_SECONDS = 1.0
"""Long enough for a second, wrong merge to show."""


def stop_hearing(process: Process) -> Any:
    """Cut a process's subscription; returns what was there."""
    hear = process.store.hear
    process.store.hear = lambda *_: None  # type: ignore[method-assign]
    return hear


async def fill(server: FakeServer, count: int) -> None:
    writer = FakeSessionStore(server)
    for n in range(1, count + 1):
        await writer.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))


@pytest.mark.spec("A4")
@pytest.mark.parametrize("before", [150, 1300])
@pytest.mark.parametrize("processes", [1, 2])
async def test_an_emptied_redis_gets_each_message_once(before: int, processes: int) -> None:
    server = FakeServer()
    await fill(server, before)
    alive = [Process(server) for _ in range(processes)]
    for number, process in enumerate(alive):
        await process.client.restore(client_id=f"c{number}")
    await say(alive[0], range(1, 3))
    for process in alive:
        await process.client.wait_for("chat", 2)
        process.store.fail()
    server.lose_everything()
    for process in alive:
        process.store.recover()
    await wait_until(
        lambda: "s" in server.sessions and len(server.sessions["s"].chat) >= 150, "it is put back"
    )
    await asyncio.sleep(QUIET_SECONDS)
    texts = texts_of(server)
    assert len(texts) == len(set(texts))
    assert texts[-2:] == ["ann 1", "ann 2"]


@pytest.mark.spec("A4")
async def test_a_message_acknowledged_and_not_heard_survives_another_heard_at_its_seq() -> None:
    server = FakeServer()
    blue, other = Process(server), FakeSessionStore(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 6))
    await blue.client.wait_for("chat", 5)
    hear = stop_hearing(blue)
    await say(blue, range(6, 7))
    server.lose_tail("s", 5)
    blue.store.hear = hear  # type: ignore[method-assign]
    await other.append_chat("s", "eve", 1, envelope("eve", 1, "eve 1"))
    await blue.client.wait_for("chat", 6)
    blue.store.recover()
    await wait_until(lambda: "ann 6" in texts_of(server), "what was acknowledged is put back")
    await asyncio.sleep(QUIET_SECONDS)
    assert sorted(texts_of(server)) == [*(f"ann {n}" for n in range(1, 7)), "eve 1"]


@pytest.mark.spec("A4")
async def test_a_recovery_ends_when_the_log_loses_more_of_its_end() -> None:
    server = FakeServer()
    blue = Process(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 11))
    await blue.client.wait_for("chat", 10)
    blue.store.fail()
    server.lose_tail("s", 8)
    refill, refills = blue.store.refill_chat, 0

    async def lose_more(*args: Any, **how: Any) -> Any:
        nonlocal refills
        refills += 1
        if refills == 1:
            server.lose_tail("s", 6)
        return await refill(*args, **how)

    blue.store.refill_chat = lose_more  # type: ignore[method-assign]
    blue.store.recover()
    expected = [f"ann {n}" for n in range(1, 11)]
    await wait_until(lambda: texts_of(server) == expected, "all is put back")
    assert refills < 10


async def test_a_message_written_while_the_log_is_read_again_is_no_loss() -> None:
    server = FakeServer()
    blue = Process(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 4))
    await blue.client.wait_for("chat", 3)
    read, reads = blue.store.read_chat, 0

    async def write_meanwhile(*args: Any, **how: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 1:
            await say(blue, range(4, 5))
        return await read(*args, **how)

    blue.store.read_chat = write_meanwhile  # type: ignore[method-assign]
    blue.store.recover()
    await wait_until(lambda: reads > 0 and len(texts_of(server)) == 4, "it is read again")
    await asyncio.sleep(QUIET_SECONDS / 2)
    assert blue.context.counters.logs_recovered == 0


async def test_recoveries_that_change_nothing_do_not_follow_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A store whose counter stays behind its log, as between two primaries that disagree."""
    server = FakeServer()
    blue = Process(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 4))
    await blue.client.wait_for("chat", 3)
    opened, counters = blue.store.open_session, blue.context.counters

    async def open_behind(*args: Any, **how: Any) -> Head:
        return replace(await opened(*args, **how), chat_seq=1)

    with monkeypatch.context() as patched:
        patched.setattr(blue.store, "open_session", open_behind)
        blue.store.recover()
        await wait_until(lambda: counters.logs_recovered > 1, "it tried again")
        await asyncio.sleep(QUIET_SECONDS)
        assert counters.logs_recovered <= 4
    assert texts_of(server) == ["ann 1", "ann 2", "ann 3"]


class Artist:
    """A client that draws on a canvas of its own."""

    def __init__(self, process: Process) -> None:
        self.peer = process.client
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)

    async def enter(self) -> None:
        await self.peer.restore(client_id="ann", can=["canvas"])
        self.peer.say_bytes(make_step1(self.doc))

    def draw(self, name: str) -> None:
        before = self.doc.get_state()
        self.elements.update({name: 1})
        self.peer.say_bytes(make_update(self.doc.get_update(before)))


@pytest.mark.spec("A4")
async def test_an_edit_saved_and_not_heard_is_put_back() -> None:
    server = FakeServer()
    blue = Process(server)
    ann = Artist(blue)
    await ann.enter()
    ann.draw("kept")
    await ann.peer.wait_for("saved", 1)
    hear = stop_hearing(blue)
    ann.draw("lost")
    await ann.peer.wait_for("saved", 2)
    server.lose_tail("s", 0, canvas_seq=1)
    blue.store.hear = hear  # type: ignore[method-assign]
    blue.store.recover()
    await wait_until(lambda: server.sessions["s"].canvas_seq > 1, "the edit is put back")


@pytest.mark.spec("A4", "A5")
async def test_a_fork_that_an_earlier_version_went_on_from_is_seen_behind_many_entries() -> None:
    """An earlier version compares lengths, not content, and continues the shorter log."""
    server = FakeServer()
    blue, old = Process(server), FakeSessionStore(server)
    await blue.client.restore(client_id="ann")
    await say(blue, range(1, 11))
    await blue.client.wait_for("chat", 10)
    hear = stop_hearing(blue)
    server.lose_tail("s", 5)
    for n in range(1, 6):
        await old.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))
    blue.store.hear = hear  # type: ignore[method-assign]
    epoch = server.sessions["s"].epoch
    for n in range(6, 101):
        known = Position(epoch, n + 4)  # no digest
        await old.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"), known=known)
    await blue.client.wait_for("chat", 105)
    blue.store.recover()
    await wait_until(lambda: "ann 10" in texts_of(server), "what was acknowledged is put back")
    expected = [f"ann {n}" for n in range(1, 6)] + [f"eve {n}" for n in range(1, 101)]
    assert texts_of(server) == [*expected, *(f"ann {n}" for n in range(6, 11))]
    late = Position(epoch, 105)
    answer = await old.append_chat("s", "eve", 101, envelope("eve", 101, "x"), known=late)
    assert isinstance(answer, Behind)
