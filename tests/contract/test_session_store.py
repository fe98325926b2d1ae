"""The contract of `SessionDirectory` and `RehearsalStore`, and what concerns several ports."""

import asyncio
import secrets

import pytest

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.health.rehearsal import Rehearsed, rehearse
from isshoni.backend.store.ports import (
    Behind,
    CanvasLog,
    Entry,
    Published,
    SessionStore,
)
from isshoni.session.identifiers import is_identifier
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry
from tests.contract.session_stores import Open, store_payloads
from tests.support.waiting import wait_until


async def test_opening_twice_gives_the_same_log(open_store: Open, session_id: str) -> None:
    one, two = await open_store(), await open_store()
    first, second = await asyncio.gather(one.open_session(session_id), two.open_session(session_id))
    assert first == second
    assert (first.chat_seq, first.canvas_seq) == (0, 0)


async def test_two_sessions_have_two_epochs(store: SessionStore) -> None:
    heads = [await store.open_session(secrets.token_hex(8)) for _ in range(2)]
    assert heads[0].epoch != heads[1].epoch


async def test_what_does_not_exist_reads_as_empty(store: SessionStore, session_id: str) -> None:
    assert await store.read_chat(session_id, after=0, limit=10) == []
    assert await store.read_recent_chat(session_id, limit=10) == []
    assert await store.read_chat_before(session_id, before=9, limit=10) == []
    assert await store.read_canvas(session_id, after=0) == []
    assert await store.load_canvas(session_id) == CanvasLog(None, [], 0)


async def test_payloads_are_bytes_of_any_value(store: SessionStore, session_id: str) -> None:
    payload = bytes(range(256)) + b"\r\n$5\r\n:"
    await store.append_chat(session_id, "c", 1, payload)
    await store.append_canvas(session_id, payload)
    assert await store_payloads(store, session_id) == [payload]
    assert await store.read_canvas(session_id, after=0) == [Entry(1, payload)]


async def test_the_probe_answers(store: SessionStore) -> None:
    assert await store.probe() >= 0


@pytest.mark.spec("C2")
async def test_sampling_finds_real_sessions_up_to_the_limit(store: SessionStore) -> None:
    opened = {secrets.token_hex(8) for _ in range(5)}
    for session_id in opened:
        await store.open_session(session_id)
    assert opened <= set(await store.sample_sessions(10_000))
    assert len(await store.sample_sessions(2)) == 2
    assert await store.sample_sessions(0) == []


@pytest.mark.spec("A9")
async def test_a_rehearsal_goes_well_is_no_session_and_leaves_nothing(store: SessionStore) -> None:
    for _ in range(2):  # nothing of the first is in the second's way
        assert await rehearse(store) == Rehearsed()
    (session_id, *_) = store.rehearsal_sessions()
    assert not is_identifier(session_id), "a client could join it"
    await store.lend_session(session_id, seconds=60)
    assert session_id not in await store.sample_sessions(10_000)
    assert await store.has_session(session_id)
    await store.erase_session(session_id)
    assert not await store.has_session(session_id)
    head = await store.open_session(session_id)
    assert head.chat_seq == 0, "it may come back, unlike a deleted one"
    await store.erase_session(session_id)


@pytest.mark.spec("A3")
async def test_a_deleted_session_is_not_brought_back(open_store: Open, session_id: str) -> None:
    one, two = await open_store(), await open_store()
    assert not await one.delete_session(session_id)
    heard: list[Published] = []
    await two.subscribe(session_id, heard.append)
    head = await two.open_session(session_id)
    await two.append_chat(session_id, "c", 1, b"{}")
    await two.append_canvas(session_id, b"\0\0")
    assert await one.delete_session(session_id)
    await wait_until(lambda: heard and heard[-1].kind == "deleted", "the other one hears of it")
    heard.clear()
    for attempt in (
        two.open_session(session_id),
        two.open_session(session_id, epoch=head.epoch),
        two.append_chat(session_id, "c", 2, b"{}"),
        two.append_canvas(session_id, b"\0\0"),
        two.keep_file(session_id, "a", b"x", room_bytes=10_000),
        two.has_session(session_id),
    ):
        with pytest.raises(SessionDeleted):
            await attempt
    await wait_until(lambda: heard and heard[0].kind == "deleted", "it is told once more")
    known = Position(head.epoch, 1)
    assert await two.append_chat(session_id, "c", 2, b"{}", known=known) == Behind()
    assert await two.refill_chat(session_id, head.epoch, [LostEntry(1, "c", 1, b"{}")]) is None
    assert await two.merge_chat(session_id, known, [], begin_epoch=True) is None
    assert await two.read_chat(session_id, after=0, limit=10) == []
    assert await two.load_canvas(session_id) == CanvasLog(None, [], 0)
    assert await one.delete_session(session_id), "to delete again is no fault"
