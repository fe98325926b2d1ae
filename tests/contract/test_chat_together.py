"""The contract of messages that are appended together, over Redis and over the fake."""

import asyncio
from collections.abc import Sequence

import pytest

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import (
    Appended,
    AppendResult,
    Behind,
    Duplicate,
    Gap,
    NewMessage,
    Published,
    SessionStore,
)
from isshoni.backend.store.sealed_store import SealedStore
from isshoni.session.messages import Position
from tests.contract.session_stores import (
    AnyServer,
    Open,
    refusing_writes,
    store_payloads,
    without_channels,
)
from tests.support.redis_cluster import RedisCluster
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


async def together(
    store: SessionStore,
    session_id: str,
    *messages: tuple[str, int, int],
    known: Position | None = None,
) -> Sequence[AppendResult]:
    """Append messages (client, n, acknowledged) in one step; return the results."""
    answered: asyncio.Future[Sequence[AppendResult]] = asyncio.get_running_loop().create_future()

    def answer(outcome: Sequence[AppendResult] | Exception) -> None:
        if isinstance(outcome, Exception):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)

    new = [
        NewMessage(client, n, b"%b%d" % (client.encode(), n), ack) for client, n, ack in messages
    ]
    await store.open_session(session_id)
    if isinstance(store, SealedStore):  # it stores its key check with the first message, alone
        await store.append_chat("the-first-sealed-one", "a", 1, b"a1")
    assert store.start_append(session_id, new, answer, known=known)
    async with asyncio.timeout(30):
        return await answered


@pytest.mark.spec("A4")
async def test_messages_appended_together_are_judged_one_after_another(
    store: SessionStore, session_id: str
) -> None:
    await store.append_chat(session_id, "a", 1, b"a1")
    results = await together(
        store,
        session_id,
        ("a", 2, 1),
        ("b", 7, 0),
        ("a", 2, 1),
        ("b", 9, 0),
        ("b", 8, 0),
        ("a", 3, 1),
        ("gone", 5, 5),
        ("gone", 6, 5),
    )
    assert list(results) == [
        Appended(2),
        Appended(3),
        Duplicate(2),
        Gap(8),
        Appended(4),
        Appended(5),
        Duplicate(5),
        Appended(6),
    ]
    payloads = await store_payloads(store, session_id)
    assert payloads == [b"a1", b"a2", b"b7", b"b8", b"a3", b"gone6"]
    assert (await store.read_standing(session_id, "b")).last_n == 8


async def test_messages_appended_together_are_published_one_by_one_in_order(
    open_store: Open, session_id: str
) -> None:
    one, two = await open_store(), await open_store()
    heard: list[Published] = []
    await two.open_session(session_id)
    await two.subscribe(session_id, heard.append)
    await together(one, session_id, *[("a", n, 0) for n in range(1, 21)])
    await wait_until(lambda: len(heard) >= 20, "all are published")
    assert [(each.seq, each.payload) for each in heard] == [(n, b"a%d" % n) for n in range(1, 21)]


async def test_none_is_appended_to_a_log_that_lacks_what_is_known(
    store: SessionStore, session_id: str
) -> None:
    head = await store.open_session(session_id)
    known = Position(head.epoch, 5)
    results = await together(store, session_id, ("a", 1, 0), ("b", 1, 0), known=known)
    assert list(results) == [Behind(), Behind()]
    assert await store_payloads(store, session_id) == []


async def test_all_of_them_fail_if_redis_refuses_to_write(
    server: AnyServer, store: SessionStore, session_id: str
) -> None:
    await together(store, session_id, ("a", 1, 0))
    with refusing_writes(server, "full"), pytest.raises(StoreUnavailable, match="OOM"):
        await together(store, session_id, ("a", 2, 1), ("a", 3, 1))
    assert list(await together(store, session_id, ("a", 2, 1))) == [Appended(2)]


@pytest.mark.parametrize("server_kind", ["valkey", "redis7", "cluster", "sealed"], indirect=True)
async def test_what_could_not_be_published_is_in_the_log_and_its_clients_go_on(
    server: ValkeyServer | RedisCluster, store: SessionStore, session_id: str
) -> None:
    await together(store, session_id, ("a", 1, 0))
    with without_channels(server), pytest.raises(StoreUnavailable, match="channel"):
        await together(store, session_id, ("a", 2, 1), ("b", 1, 0))
    assert (await store.open_session(session_id)).chat_seq == 3
    assert list(await together(store, session_id, ("a", 2, 1), ("a", 3, 2))) == [
        Duplicate(2),
        Appended(4),
    ]
    assert await store_payloads(store, session_id) == [b"a1", b"a2", b"b1", b"a3"]


async def test_they_do_not_bring_a_deleted_session_back(
    store: SessionStore, session_id: str
) -> None:
    failures: list[object] = []
    await together(store, session_id, ("a", 1, 0))
    await store.delete_session(session_id)
    assert store.start_append(session_id, [NewMessage("a", 2, b"a2", 1)], failures.append)
    await wait_until(lambda: failures, "the store has answered")
    assert isinstance(failures[0], SessionDeleted)
