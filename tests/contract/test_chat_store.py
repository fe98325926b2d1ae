"""The contract of `ChatStore`, over Redis and over the fake."""

import asyncio

import pytest

from isshoni.backend.store.ports import (
    Appended,
    ChatStore,
    Duplicate,
    Entry,
    Gap,
    SessionStore,
)
from tests.contract.session_stores import Open, store_payloads


async def test_chat_is_numbered_from_one_without_holes(
    store: SessionStore, session_id: str
) -> None:
    results = await asyncio.gather(
        *(store.append_chat(session_id, f"c{i}", 1, b"{%d}" % i) for i in range(20))
    )
    assert sorted(r.seq for r in results if isinstance(r, Appended)) == list(range(1, 21))
    entries = await store.read_chat(session_id, after=0, limit=100)
    assert [entry.seq for entry in entries] == list(range(1, 21))
    assert (await store.open_session(session_id)).chat_seq == 20


@pytest.mark.spec("A4")
async def test_a_resend_is_not_appended_again(open_store: Open, session_id: str) -> None:
    one, two = await open_store(), await open_store()
    assert await one.append_chat(session_id, "c", 1, b"{1}") == Appended(1)
    assert await one.append_chat(session_id, "c", 2, b"{2}") == Appended(2)
    assert await two.append_chat(session_id, "c", 1, b"{1}") == Duplicate(last_n=2)
    assert await store_payloads(two, session_id) == [b"{1}", b"{2}"]


async def test_a_skipped_n_is_a_gap_and_writes_nothing(store: ChatStore, session_id: str) -> None:
    await store.append_chat(session_id, "c", 1, b"{1}")
    assert await store.append_chat(session_id, "c", 3, b"{3}") == Gap(expected=2)
    assert await store_payloads(store, session_id) == [b"{1}"]
    assert (await store.read_standing(session_id, "c")).last_n == 1


async def test_an_unknown_client_may_start_at_any_n(store: ChatStore, session_id: str) -> None:
    assert await store.append_chat(session_id, "c", 41, b"{41}") == Appended(1)
    assert await store.append_chat(session_id, "c", 42, b"{42}") == Appended(2)
    assert (await store.read_standing(session_id, "c")).last_n == 42


@pytest.mark.spec("A4")
async def test_a_client_that_the_log_forgot_goes_on_from_what_was_acknowledged(
    store: ChatStore, session_id: str
) -> None:
    await store.append_chat(session_id, "other", 1, b"{1}")
    # Nothing of "c" is left in the log. On its connection 5 was acknowledged, and 6 failed.
    assert await store.append_chat(session_id, "c", 7, b"{7}", acknowledged=5) == Gap(6)
    assert await store.append_chat(session_id, "c", 5, b"{5}", acknowledged=5) == Duplicate(5)
    assert await store.append_chat(session_id, "c", 6, b"{6}", acknowledged=5) == Appended(2)
    assert await store.append_chat(session_id, "c", 7, b"{7}", acknowledged=5) == Appended(3)
    # What the log knows itself goes before: another connection may be further.
    assert await store.append_chat(session_id, "c", 7, b"{7}", acknowledged=6) == Duplicate(7)
    assert await store_payloads(store, session_id) == [b"{1}", b"{6}", b"{7}"]


@pytest.mark.spec("A4")
async def test_the_same_message_over_two_stores_at_once_is_appended_once(
    open_store: Open, session_id: str
) -> None:
    stores = [await open_store(), await open_store()]
    results = await asyncio.gather(
        *(store.append_chat(session_id, "c", 1, b"{}") for store in stores * 5)
    )
    assert results.count(Appended(1)) == 1
    assert results.count(Duplicate(1)) == 9


async def test_the_greatest_n_of_the_protocol_survives_exactly(
    store: ChatStore, session_id: str
) -> None:
    greatest = 2**53 - 1
    await store.append_chat(session_id, "c", greatest - 1, b"{}")
    assert await store.append_chat(session_id, "c", greatest, b"{}") == Appended(2)
    assert (await store.read_standing(session_id, "c")).last_n == greatest
    assert await store.append_chat(session_id, "c", greatest, b"{}") == Duplicate(greatest)


async def test_an_unknown_client_has_last_n_zero(store: ChatStore, session_id: str) -> None:
    assert (await store.read_standing(session_id, "nobody")).last_n == 0


async def test_reading_goes_on_after_a_seq_and_stops_at_the_limit(
    store: ChatStore, session_id: str
) -> None:
    for n in range(1, 8):
        await store.append_chat(session_id, "c", n, b"{%d}" % n)
    assert await store.read_chat(session_id, after=2, limit=3) == [
        Entry(3, b"{3}"),
        Entry(4, b"{4}"),
        Entry(5, b"{5}"),
    ]
    assert await store.read_chat(session_id, after=7, limit=3) == []
    recent = await store.read_recent_chat(session_id, limit=2)
    assert recent == [Entry(6, b"{6}"), Entry(7, b"{7}")]


async def test_pages_before_a_seq_lead_back_to_the_beginning(
    store: ChatStore, session_id: str
) -> None:
    for n in range(1, 6):
        await store.append_chat(session_id, "c", n, b"{%d}" % n)
    last = await store.read_chat_before(session_id, before=6, limit=2)
    assert last == [Entry(4, b"{4}"), Entry(5, b"{5}")]
    assert await store.read_chat_before(session_id, before=2, limit=2) == [Entry(1, b"{1}")]
    assert await store.read_chat_before(session_id, before=1, limit=2) == []
    assert len(await store.read_chat_before(session_id, before=2**53 - 1, limit=9)) == 5
