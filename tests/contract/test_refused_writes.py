"""The contract of `SessionStore` where Redis takes no writes: full, or short of replicas."""

from collections.abc import Awaitable

import pytest

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import (
    Appended,
    CanvasLog,
    Entry,
    FileKept,
    Gap,
    Head,
    Published,
    SessionStore,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry
from tests.contract.session_stores import AnyServer, Open, Refusal, refusing_writes
from tests.support.waiting import wait_until


async def fill_session(store: SessionStore, session_id: str) -> Head:
    """Put something of every kind into a session."""
    for n in (1, 2):
        assert await store.append_chat(session_id, "c", n, b"{%d}" % n) == Appended(n)
        assert await store.append_canvas(session_id, b"u%d" % n) == n
    kept: FileKept = await store.keep_file(session_id, "a", b"file", room_bytes=10_000)
    assert kept == "kept"
    return await store.open_session(session_id)


@pytest.mark.spec("A4")
@pytest.mark.parametrize("why", ["full", "short_of_replicas"])
async def test_a_session_is_read_and_heard_where_no_write_is_taken(
    open_store: Open, server: AnyServer, session_id: str, why: Refusal
) -> None:
    head = await fill_session(await open_store(), session_id)
    with refusing_writes(server, why):
        # A process that comes only now: what it needs to begin must need no write either.
        store = await open_store()
        heard: list[Published] = []
        await store.subscribe(session_id, heard.append)
        assert await store.open_session(session_id) == head
        assert await store.open_session(session_id, epoch=head.epoch) == head
        assert await store.has_session(session_id)
        assert await store.read_recent_chat(session_id, limit=9) == [
            Entry(1, b"{1}"),
            Entry(2, b"{2}"),
        ]
        assert (await store.read_standing(session_id, "c")).last_n == 2
        canvas = await store.load_canvas(session_id)
        assert canvas == CanvasLog(None, [Entry(1, b"u1"), Entry(2, b"u2")], 2)
        assert await store.read_file(session_id, "a") == b"file"
        assert session_id in await store.sample_sessions(10_000)
        await store.publish_awareness(session_id, b"here")
        await wait_until(lambda: heard, "who is here is told")
        assert heard == [Published("awareness", 0, b"here")]
        for write in _writes(store, session_id):
            with pytest.raises(StoreUnavailable, match=r"OOM|NOREPLICAS"):
                await write
        assert await store.open_session(session_id) == head
    assert await store.append_chat(session_id, "c", 3, b"{3}") == Appended(3)
    assert await store.append_chat(session_id, "c", 5, b"{5}") == Gap(4)


def _writes(store: SessionStore, session_id: str) -> list[Awaitable[object]]:
    return [
        store.append_chat(session_id, "c", 3, b"{3}"),
        store.append_canvas(session_id, b"u3"),
        store.keep_file(session_id, "b", b"file", room_bytes=10_000),
        store.open_session(session_id + "new"),
        store.probe(),
    ]


async def test_a_full_redis_takes_what_makes_room_or_puts_back(
    open_store: Open, server: AnyServer, session_id: str
) -> None:
    store = await open_store()
    head = await fill_session(store, session_id)
    with refusing_writes(server, "full"):
        assert await store.compact_canvas(session_id, b"s", upto=2)
        assert await store.load_canvas(session_id) == CanvasLog(b"s", [], 2)
        lost = [LostEntry(3, "c", 3, b"{3}")]
        assert await store.refill_chat(session_id, head.epoch, lost) == 3
        at = Position(head.epoch, 3)
        assert await store.merge_chat(session_id, at, lost, begin_epoch=True) == 4
        assert (await store.open_session(session_id)).epoch != head.epoch
        assert await store.delete_session(session_id)
        assert await store.read_chat(session_id, after=0, limit=9) == []
        assert await store.read_file(session_id, "a") is None
        with pytest.raises(SessionDeleted):
            await store.open_session(session_id)


async def test_without_replicas_nothing_is_deleted_by_halves(
    open_store: Open, server: AnyServer, session_id: str
) -> None:
    store = await open_store()
    head = await fill_session(store, session_id)
    with refusing_writes(server, "short_of_replicas"):
        with pytest.raises(StoreUnavailable, match="NOREPLICAS"):
            await store.delete_session(session_id)
        assert await store.open_session(session_id) == head
    known = Position(head.epoch, head.chat_seq)
    assert await store.append_chat(session_id, "c", 3, b"{3}", known=known) == Appended(3)
