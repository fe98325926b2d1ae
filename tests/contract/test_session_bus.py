"""The contract of `SessionBus`, over Redis and over the fake."""

import asyncio
import secrets

from isshoni.backend.store.ports import (
    Published,
    SessionStore,
)
from tests.contract.session_stores import Open
from tests.support.waiting import wait_until


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
