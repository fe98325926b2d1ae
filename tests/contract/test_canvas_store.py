"""The contract of `CanvasStore`, over Redis and over the fake."""

import asyncio

from isshoni.backend.store.ports import (
    CanvasLog,
    CanvasStore,
    Entry,
    SessionStore,
)


async def test_canvas_updates_are_numbered_and_loaded(store: SessionStore, session_id: str) -> None:
    assert [await store.append_canvas(session_id, b"u%d" % i) for i in (1, 2, 3)] == [1, 2, 3]
    assert await store.read_canvas(session_id, after=1) == [Entry(2, b"u2"), Entry(3, b"u3")]
    canvas = await store.load_canvas(session_id)
    assert canvas.snapshot is None
    assert canvas.seq == 3
    assert (await store.open_session(session_id)).canvas_seq == 3


async def test_a_long_canvas_is_read_to_its_end(store: CanvasStore, session_id: str) -> None:
    await asyncio.gather(*(store.append_canvas(session_id, b"u") for _ in range(1203)))
    updates = await store.read_canvas(session_id, after=1)
    assert [update.seq for update in updates] == list(range(2, 1204))


async def test_compaction_replaces_what_the_snapshot_holds(
    store: SessionStore, session_id: str
) -> None:
    await store.open_session(session_id)
    for i in (1, 2, 3):
        await store.append_canvas(session_id, b"u%d" % i)
    assert await store.compact_canvas(session_id, b"s2", upto=2)
    assert await store.load_canvas(session_id) == CanvasLog(b"s2", [Entry(3, b"u3")], 3)
    assert await store.compact_canvas(session_id, b"s3", upto=3)
    assert await store.load_canvas(session_id) == CanvasLog(b"s3", [], 3)
    assert await store.append_canvas(session_id, b"u4") == 4


async def test_an_older_compaction_changes_nothing(store: CanvasStore, session_id: str) -> None:
    for i in (1, 2, 3):
        await store.append_canvas(session_id, b"u%d" % i)
    assert await store.compact_canvas(session_id, b"s2", upto=2)
    assert not await store.compact_canvas(session_id, b"other", upto=2)
    assert not await store.compact_canvas(session_id, b"s1", upto=1)
    assert await store.load_canvas(session_id) == CanvasLog(b"s2", [Entry(3, b"u3")], 3)


async def test_a_compaction_beyond_the_log_is_refused(store: CanvasStore, session_id: str) -> None:
    await store.append_canvas(session_id, b"u1")
    assert not await store.compact_canvas(session_id, b"s", upto=2)
    assert await store.load_canvas(session_id) == CanvasLog(None, [Entry(1, b"u1")], 1)
