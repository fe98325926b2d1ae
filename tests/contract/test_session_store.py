"""The contract of `SessionStore`, over Redis and over the fake."""

import asyncio
import secrets

import pytest

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.health.rehearsal import Rehearsed, rehearse
from isshoni.backend.store.ports import (
    Appended,
    Behind,
    CanvasLog,
    Duplicate,
    Entry,
    Gap,
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


async def test_a_skipped_n_is_a_gap_and_writes_nothing(
    store: SessionStore, session_id: str
) -> None:
    await store.append_chat(session_id, "c", 1, b"{1}")
    assert await store.append_chat(session_id, "c", 3, b"{3}") == Gap(expected=2)
    assert await store_payloads(store, session_id) == [b"{1}"]
    assert await store.last_n(session_id, "c") == 1


async def test_an_unknown_client_may_start_at_any_n(store: SessionStore, session_id: str) -> None:
    assert await store.append_chat(session_id, "c", 41, b"{41}") == Appended(1)
    assert await store.append_chat(session_id, "c", 42, b"{42}") == Appended(2)
    assert await store.last_n(session_id, "c") == 42


@pytest.mark.spec("A4")
async def test_a_client_that_the_log_forgot_goes_on_from_what_was_acknowledged(
    store: SessionStore, session_id: str
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
    store: SessionStore, session_id: str
) -> None:
    greatest = 2**53 - 1
    await store.append_chat(session_id, "c", greatest - 1, b"{}")
    assert await store.append_chat(session_id, "c", greatest, b"{}") == Appended(2)
    assert await store.last_n(session_id, "c") == greatest
    assert await store.append_chat(session_id, "c", greatest, b"{}") == Duplicate(greatest)


async def test_an_unknown_client_has_last_n_zero(store: SessionStore, session_id: str) -> None:
    assert await store.last_n(session_id, "nobody") == 0


async def test_reading_goes_on_after_a_seq_and_stops_at_the_limit(
    store: SessionStore, session_id: str
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
    store: SessionStore, session_id: str
) -> None:
    for n in range(1, 6):
        await store.append_chat(session_id, "c", n, b"{%d}" % n)
    last = await store.read_chat_before(session_id, before=6, limit=2)
    assert last == [Entry(4, b"{4}"), Entry(5, b"{5}")]
    assert await store.read_chat_before(session_id, before=2, limit=2) == [Entry(1, b"{1}")]
    assert await store.read_chat_before(session_id, before=1, limit=2) == []
    assert len(await store.read_chat_before(session_id, before=2**53 - 1, limit=9)) == 5


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


async def test_canvas_updates_are_numbered_and_loaded(store: SessionStore, session_id: str) -> None:
    assert [await store.append_canvas(session_id, b"u%d" % i) for i in (1, 2, 3)] == [1, 2, 3]
    assert await store.read_canvas(session_id, after=1) == [Entry(2, b"u2"), Entry(3, b"u3")]
    canvas = await store.load_canvas(session_id)
    assert canvas.snapshot is None
    assert canvas.seq == 3
    assert (await store.open_session(session_id)).canvas_seq == 3


async def test_a_long_canvas_is_read_to_its_end(store: SessionStore, session_id: str) -> None:
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


async def test_an_older_compaction_changes_nothing(store: SessionStore, session_id: str) -> None:
    for i in (1, 2, 3):
        await store.append_canvas(session_id, b"u%d" % i)
    assert await store.compact_canvas(session_id, b"s2", upto=2)
    assert not await store.compact_canvas(session_id, b"other", upto=2)
    assert not await store.compact_canvas(session_id, b"s1", upto=1)
    assert await store.load_canvas(session_id) == CanvasLog(b"s2", [Entry(3, b"u3")], 3)


async def test_a_compaction_beyond_the_log_is_refused(store: SessionStore, session_id: str) -> None:
    await store.append_canvas(session_id, b"u1")
    assert not await store.compact_canvas(session_id, b"s", upto=2)
    assert await store.load_canvas(session_id) == CanvasLog(None, [Entry(1, b"u1")], 1)


async def test_every_subscriber_hears_everything_in_order(
    open_store: Open, session_id: str
) -> None:
    stores = [await open_store(), await open_store()]
    heard: list[list[Published]] = [[], []]
    for store, inbox in zip(stores, heard, strict=True):
        await store.subscribe(session_id, inbox.append)
    await stores[0].append_chat(session_id, "c", 1, b"{1}")
    await stores[0].append_canvas(session_id, b"u1")
    await stores[0].publish_awareness(session_id, b"a:1")
    await stores[0].append_chat(session_id, "c", 2, b"{2}")
    expected = [
        Published("chat", 1, b"{1}"),
        Published("canvas", 1, b"u1"),
        Published("awareness", 0, b"a:1"),
        Published("chat", 2, b"{2}"),
    ]
    await wait_until(lambda: all(len(inbox) >= 4 for inbox in heard), "four publications each")
    assert heard == [expected, expected]


async def test_duplicates_and_gaps_are_not_published(store: SessionStore, session_id: str) -> None:
    heard: list[Published] = []
    await store.subscribe(session_id, heard.append)
    await store.append_chat(session_id, "c", 1, b"{1}")
    await store.append_chat(session_id, "c", 1, b"{1}")
    await store.append_chat(session_id, "c", 9, b"{9}")
    await store.append_chat(session_id, "c", 2, b"{2}")
    await wait_until(lambda: len(heard) >= 2, "two publications")
    assert heard == [Published("chat", 1, b"{1}"), Published("chat", 2, b"{2}")]


async def test_after_unsubscribing_nothing_is_heard(store: SessionStore, session_id: str) -> None:
    other = secrets.token_hex(8)
    heard: list[Published] = []
    others: list[Published] = []
    await store.subscribe(session_id, heard.append)
    await store.subscribe(other, others.append)
    await store.unsubscribe(session_id)
    await store.append_canvas(session_id, b"u")
    await store.append_canvas(other, b"u")
    await wait_until(lambda: others, "the other session's publication")
    assert heard == []


async def test_unsubscribing_and_subscribing_again_at_once_ends_subscribed(
    store: SessionStore, session_id: str
) -> None:
    heard: list[Published] = []
    await store.subscribe(session_id, lambda publication: None)
    await asyncio.gather(store.unsubscribe(session_id), store.subscribe(session_id, heard.append))
    await store.append_canvas(session_id, b"u")
    await wait_until(lambda: heard, "the publication")


async def test_a_failing_listener_deafens_nobody(store: SessionStore, session_id: str) -> None:
    heard: list[Published] = []

    def fail_first(publication: Published) -> None:
        heard.append(publication)
        if len(heard) == 1:
            raise ValueError("a listener with a fault")

    await store.subscribe(session_id, fail_first)
    await store.append_canvas(session_id, b"u1")
    await store.append_canvas(session_id, b"u2")
    await wait_until(lambda: len(heard) == 2, "both publications")


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


async def test_each_server_tells_its_version_policy_and_aof(store: SessionStore) -> None:
    servers = await store.read_info()
    assert len(servers) == len(store.rehearsal_sessions())
    names = {"redis_version", "maxmemory_policy", "aof_enabled"}
    assert all(info is not None and names <= info.keys() for info in servers)


async def test_a_note_is_kept_until_it_is_replaced(store: SessionStore) -> None:
    name = secrets.token_hex(8)
    assert await store.read_note(name) is None
    assert await store.keep_note(name, b"one") == b"one"
    assert await store.keep_note(name, b"two") == b"one"
    assert await store.keep_note(name, b"two", replace=True) == b"two"
    assert await store.read_note(name) == b"two"


async def test_a_file_is_kept_once_and_within_the_room(open_store: Open, session_id: str) -> None:
    one, two = await open_store(), await open_store()
    content, room_bytes = bytes(1500), 5_000
    assert await one.keep_file(session_id, "a", content, room_bytes=room_bytes) == "no_session"
    assert not await one.has_session(session_id)
    await one.open_session(session_id)
    assert await two.has_session(session_id)
    assert await one.keep_file(session_id, "a", content, room_bytes=room_bytes) == "kept"
    assert await two.keep_file(session_id, "a", b"other", room_bytes=room_bytes) == "present"
    assert await two.read_file(session_id, "a") == content
    assert await two.read_file(session_id, "b") is None
    kept = [
        await one.keep_file(session_id, f"tiny{number}", b"x", room_bytes=room_bytes)
        for number in range(5)
    ]
    assert kept[0] == "kept"
    assert kept[-1] == "full"


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
