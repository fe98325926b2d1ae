"""The contract of `SessionStore` where a log lost its end: it says so, and takes it back."""

import asyncio

import pytest

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import (
    Appended,
    Behind,
    Duplicate,
    Head,
    Published,
    Recorded,
    SessionStore,
    digest_stored,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry
from tests.contract.session_stores import Open, store_payloads, without_channels
from tests.support.redis_cluster import RedisCluster
from tests.support.valkey import ValkeyServer
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
    assert (await stores[0].read_standing(session_id, "ann")).last_n == 9
    assert await stores[0].append_chat(session_id, "ann", 9, b"{3}") == Duplicate(9)
    assert await stores[0].refill_chat(session_id, "another", lost) is None
    await wait_until(lambda: len(heard) == 3, "every entry published once")
    assert [published.seq for published in heard] == [1, 2, 3]


async def test_a_new_epoch_is_begun_once_and_numbers_go_on(
    store: SessionStore, session_id: str
) -> None:
    before = await store.open_session(session_id)
    await store.append_chat(session_id, "c", 1, b"{1}")
    at = Position(before.epoch, 1)
    assert await store.merge_chat(session_id, at, [], begin_epoch=True) == 1
    assert await store.merge_chat(session_id, at, [], begin_epoch=True) is None
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


async def digest_at(store: SessionStore, session_id: str, seq: int) -> str:
    (entry,) = await store.read_chat(session_id, after=seq - 1, limit=1)
    return entry.digest


@pytest.mark.spec("A4")
async def test_a_log_with_another_entry_where_it_is_known_takes_nothing(
    store: SessionStore, session_id: str
) -> None:
    epoch = (await store.open_session(session_id)).epoch
    first = await store.append_chat(session_id, "c", 1, b"{1}")
    assert isinstance(first, Appended)
    digest = await digest_at(store, session_id, 1)
    assert first.stored is not None
    assert digest_stored(first.stored) == digest
    known = Position(epoch, 1)
    again = await store.append_chat(session_id, "c", 2, b"{2}", known=known, known_digest=digest)
    assert again == Appended(2)
    other = digest_stored(b"another")
    for n in (2, 3, 4):
        result = await store.append_chat(
            session_id, "c", n, b"{n}", known=known, known_digest=other
        )
        assert result == Behind()
    assert await store_payloads(store, session_id) == [b"{1}", b"{2}"]


async def test_a_canvas_log_with_another_entry_where_it_is_known_takes_nothing(
    store: SessionStore, session_id: str
) -> None:
    epoch = (await store.open_session(session_id)).epoch
    for update in (b"u1", b"u2"):
        await store.append_canvas(session_id, update)
    (first, _) = await store.read_canvas(session_id, after=0)
    known = Position(epoch, 1)
    other = digest_stored(b"another")
    assert await store.append_canvas(session_id, b"u3", known=known, known_digest=other) == Behind()
    assert await store.append_canvas(session_id, b"u3", known=known, known_digest=first.digest) == 3
    await store.compact_canvas(session_id, b"snapshot", upto=2)
    # What is in the snapshot cannot be compared.
    assert await store.append_canvas(session_id, b"u4", known=known, known_digest=other) == 4


@pytest.mark.spec("A4")
async def test_nothing_is_put_back_behind_an_entry_that_is_another_one(
    store: SessionStore, session_id: str
) -> None:
    epoch = (await store.open_session(session_id)).epoch
    await store.append_chat(session_id, "ann", 1, b"{1}")
    lost = [LostEntry(2, "ann", 2, b"{2}")]
    other = digest_stored(b"another")
    assert await store.refill_chat(session_id, epoch, lost, behind=other) == 1
    right = await digest_at(store, session_id, 1)
    assert await store.refill_chat(session_id, epoch, lost, behind=right) == 2
    # Another one was at it first: the caller looks at what is there now.
    later = [LostEntry(2, "ann", 2, b"{2}"), LostEntry(3, "ann", 3, b"{3}")]
    assert await store.refill_chat(session_id, epoch, later, behind=right) == 2
    assert await store_payloads(store, session_id) == [b"{1}", b"{2}"]


@pytest.mark.spec("A4")
async def test_lost_entries_are_merged_once_at_new_seqs_under_a_new_epoch(
    open_store: Open, session_id: str
) -> None:
    stores = [await open_store(), await open_store()]
    epoch = (await stores[0].open_session(session_id)).epoch
    await stores[0].append_chat(session_id, "bob", 1, b"{bob 1}")
    lost = [LostEntry(1, "ann", 4, b"{ann 4}"), LostEntry(2, "bob", 1, b"{bob 1 of before}")]
    at = Position(epoch, 1)
    ends = await asyncio.gather(
        *(one.merge_chat(session_id, at, lost, begin_epoch=True) for one in stores)
    )
    assert sorted(ends, key=str) == [3, None]
    head = await stores[0].open_session(session_id)
    assert head.epoch != epoch
    expected = [b"{bob 1}", b"{ann 4}", b"{bob 1 of before}"]
    assert await store_payloads(stores[0], session_id) == expected
    assert await stores[0].append_chat(session_id, "ann", 4, b"{ann 4}") == Duplicate(4)
    assert await stores[0].append_chat(session_id, "ann", 5, b"{ann 5}") == Appended(4)
    for stale in (Position(epoch, 4), Position(head.epoch, 3)):
        assert await stores[0].merge_chat(session_id, stale, lost, begin_epoch=False) is None
    more = [LostEntry(9, "cat", 1, b"{cat 1}")]
    at = Position(head.epoch, 4)
    assert await stores[0].merge_chat(session_id, at, more, begin_epoch=False) == 5
    assert (await stores[0].open_session(session_id)).epoch == head.epoch


@pytest.mark.spec("A4")
async def test_a_counter_that_is_not_behind_is_left_as_it_is(
    store: SessionStore, session_id: str
) -> None:
    head = await store.open_session(session_id)
    await store.append_chat(session_id, "ann", 1, b"{1}")
    digest = await digest_at(store, session_id, 1)
    present = [Recorded(1, digest, "ann", 1)]
    assert not await store.mend_chat(session_id, head.epoch, present)
    assert not await store.mend_chat(session_id, "another", present)
    assert not await store.mend_chat(session_id, head.epoch, [])
    assert not await store.mend_chat(session_id, head.epoch, [Recorded(2, digest, "ann", 2)])
    assert await store.append_chat(session_id, "ann", 2, b"{2}") == Appended(2)


@pytest.mark.spec("A4")
@pytest.mark.parametrize("server_kind", ["valkey", "redis7", "cluster", "sealed"], indirect=True)
async def test_entries_go_back_whole_though_none_can_be_published(
    server: ValkeyServer | RedisCluster, store: SessionStore, session_id: str
) -> None:
    """A new epoch too: one that others heard of has all of its entries."""
    epoch = (await store.open_session(session_id)).epoch
    lost = [LostEntry(n, "ann", n, b"{%d}" % n) for n in (1, 2)]
    with without_channels(server), pytest.raises(StoreUnavailable, match="channel"):
        await store.refill_chat(session_id, epoch, lost)
    assert await store_payloads(store, session_id) == [b"{1}", b"{2}"]
    more = [LostEntry(n, "ann", n, b"{%d}" % n) for n in (3, 4)]
    with without_channels(server), pytest.raises(StoreUnavailable, match="channel"):
        await store.merge_chat(session_id, Position(epoch, 2), more, begin_epoch=True)
    head = await store.open_session(session_id)
    assert (head.epoch != epoch, head.chat_seq) == (True, 4)
    assert await store_payloads(store, session_id) == [b"{1}", b"{2}", b"{3}", b"{4}"]
    assert await store.append_chat(session_id, "ann", 5, b"{5}") == Appended(5)
