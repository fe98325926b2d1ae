"""The contract of `SessionStore` where a log lost its end: it says so, and takes it back."""

import asyncio

import pytest

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.ports import (
    Appended,
    Behind,
    Duplicate,
    Head,
    Published,
    SessionStore,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry
from tests.contract.session_stores import Open, store_payloads
from tests.support.waiting import wait_until


@pytest.mark.spec("A4")
async def test_a_log_shorter_than_known_takes_nothing_and_gives_no_seq_twice(
    store: SessionStore, session_id: str
) -> None:
    epoch = (await store.open_session(session_id)).epoch
    assert await store.append_chat(
        session_id, "c", 1, b"{1}", known=Position(epoch, 0)
    ) == Appended(1)
    for known in (Position(epoch, 2), Position("another", 1), Position("another", 0)):
        assert await store.append_chat(session_id, "c", 2, b"{2}", known=known) == Behind()
        assert await store.append_chat(session_id, "c", 1, b"{1}", known=known) == Behind()
    assert await store_payloads(store, session_id) == [b"{1}"]


async def test_a_session_that_is_gone_is_behind_whatever_is_known(
    store: SessionStore, session_id: str
) -> None:
    known = Position("epoch", 3)
    assert await store.append_chat(session_id, "c", 4, b"{4}", known=known) == Behind()
    assert await store.open_session(session_id, epoch="epoch") == Head("epoch", 0, 0)
    assert (await store.open_session(session_id, epoch="later")).epoch == "epoch"


@pytest.mark.spec("A4")
async def test_lost_entries_go_back_to_their_own_seqs_once(
    open_store: Open, session_id: str
) -> None:
    stores = [await open_store(), await open_store()]
    heard: list[Published] = []
    await stores[1].subscribe(session_id, heard.append)
    epoch = (await stores[0].open_session(session_id)).epoch
    await stores[0].append_chat(session_id, "ann", 7, b"{1}")
    lost = [LostEntry(seq, "ann", 6 + seq, b"{%d}" % seq) for seq in (1, 2, 3, 5)]
    ends = await asyncio.gather(*(store.refill_chat(session_id, epoch, lost) for store in stores))
    assert ends == [3, 3]
    assert await store_payloads(stores[0], session_id) == [b"{1}", b"{2}", b"{3}"]
    assert await stores[0].last_n(session_id, "ann") == 9
    assert await stores[0].append_chat(session_id, "ann", 9, b"{3}") == Duplicate(9)
    assert await stores[0].refill_chat(session_id, "another", lost) is None
    await wait_until(lambda: len(heard) == 3, "every entry published once")
    assert [published.seq for published in heard] == [1, 2, 3]


async def test_a_new_epoch_is_begun_once_and_numbers_go_on(
    store: SessionStore, session_id: str
) -> None:
    before = await store.open_session(session_id)
    await store.append_chat(session_id, "c", 1, b"{1}")
    assert await store.begin_epoch(session_id, before.epoch)
    assert not await store.begin_epoch(session_id, before.epoch)
    after = await store.open_session(session_id)
    assert after.epoch != before.epoch
    assert await store.append_chat(session_id, "c", 2, b"{2}") == Appended(2)


async def test_an_edit_does_not_follow_a_lost_end(store: SessionStore, session_id: str) -> None:
    epoch = (await store.open_session(session_id)).epoch
    await store.append_canvas(session_id, b"u1")
    assert await store.append_canvas(session_id, b"u2", known=Position(epoch, 1)) == 2
    for known in (Position(epoch, 3), Position("another", 1)):
        assert await store.append_canvas(session_id, b"u3", known=known) == Behind()
    assert (await store.open_session(session_id)).canvas_seq == 2
    await store.delete_session(session_id)
    with pytest.raises(SessionDeleted):
        await store.append_canvas(session_id, b"u3", known=Position(epoch, 2))


async def test_a_canvas_seq_that_is_taken_is_not_given_out_again(
    store: SessionStore, session_id: str
) -> None:
    assert await store.append_canvas(session_id, b"u1") == 1
    assert await store.append_canvas(session_id, b"u9", beyond=8) == 9
    assert await store.append_canvas(session_id, b"u10", beyond=3) == 10
    assert [entry.seq for entry in await store.read_canvas(session_id, after=0)] == [1, 9, 10]
    assert (await store.open_session(session_id)).canvas_seq == 10
