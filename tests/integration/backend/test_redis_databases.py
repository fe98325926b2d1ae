"""Two environments on one server, in different databases: nothing crosses."""

import asyncio
from pathlib import Path

import pytest

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import Published
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.store import RedisStore
from tests.integration.backend.test_failover import Witness, client_of, read_log, say
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


async def open_store(valkey: ValkeyServer, database: int) -> RedisStore:
    store = RedisStore(f"redis://127.0.0.1:{valkey.port}/{database}")
    await store.start()
    return store


async def do_everything(store: RedisStore, session_id: str, name: bytes) -> None:
    await store.open_session(session_id)
    await store.append_chat(session_id, name.decode(), 1, b'{"of":"%b"}' % name)
    await store.append_canvas(session_id, b"update of " + name)
    await store.publish_awareness(session_id, b"awareness of " + name)
    await store.delete_session(session_id)


@pytest.mark.spec("A7")
@pytest.mark.parametrize("databases", [(0, 1), (1, 0), (2, 3)])
async def test_nothing_that_is_published_in_one_database_is_heard_in_another(
    valkey: ValkeyServer, session_id: str, databases: tuple[int, int]
) -> None:
    stores = [await open_store(valkey, database) for database in databases]
    heard: list[list[Published]] = [[], []]
    for store, into in zip(stores, heard, strict=True):
        await store.subscribe(session_id, into.append)
    await do_everything(stores[0], session_id, b"one")
    await wait_until(lambda: len(heard[0]) == 4, "the first heard its own")
    assert heard[1] == []
    assert not await stores[1].has_session(session_id)
    await do_everything(stores[1], session_id, b"two")
    await wait_until(lambda: len(heard[1]) == 4, "the second heard its own")
    for into, name in zip(heard, (b"one", b"two"), strict=True):
        assert [(one.kind, one.payload) for one in into] == [
            ("chat", b'{"of":"%b"}' % name),
            ("canvas", b"update of " + name),
            ("awareness", b"awareness of " + name),
            ("deleted", b""),
        ]
    assert stores[0].meter.poison == stores[1].meter.poison == 0
    for store in stores:
        with pytest.raises(SessionDeleted):
            await store.open_session(session_id)
        await store.aclose()


@pytest.mark.spec("A5")
async def test_what_an_earlier_version_publishes_is_a_hint_and_nothing_more(
    valkey: ValkeyServer, session_id: str
) -> None:
    """It uses the names of database 0 in every database: whose it is cannot be told."""
    store = await open_store(valkey, 1)
    heard: list[Published] = []
    await store.subscribe(session_id, heard.append)
    channel = session_keys(session_id).channel
    for message in (b"a0:awareness", b"e0:@1"):
        await store._nodes.execute(0, b"SPUBLISH", channel, message)
    for message in (b"c1:{}", b"y1:update", b"d0:", b"e0:0123456789abcdef"):
        await store._nodes.execute(0, b"SPUBLISH", channel, message)
        await wait_until(lambda: heard, "it was told to read")
        assert [one.kind for one in heard] == ["unread"]
        heard.clear()
    await store.aclose()


@pytest.mark.spec("A5")
async def test_an_earlier_version_is_told_to_read_and_nothing_more(
    valkey: ValkeyServer, session_id: str
) -> None:
    store = await open_store(valkey, 1)
    before: list[bytes] = []
    channel = session_keys(session_id).channel
    await store._nodes.channels.subscribe(session_keys(session_id).slot, channel, before.append)
    await do_everything(store, session_id, b"one")
    await wait_until(lambda: len(before) == 4, "it was told of each change")
    assert set(before) == {b"e0:@1"}
    await store.aclose()


@pytest.mark.spec("A7")
async def test_two_environments_on_one_server_do_not_hear_each_other(
    valkey: ValkeyServer, tmp_path: Path, session_id: str
) -> None:
    urls = [f"redis://127.0.0.1:{valkey.port}/{database}" for database in (0, 1)]
    with (
        BackendProcess(urls[0], tmp_path / "production") as production,
        BackendProcess(urls[1], tmp_path / "staging") as staging,
    ):
        production.wait_until_ready()
        staging.wait_until_ready()
        ann_saw, bob_saw = Witness(), Witness()
        async with (
            client_of(production, session_id, ann_saw) as ann,
            client_of(staging, session_id, bob_saw) as bob,
        ):
            for name, client in (("ann", ann), ("bob", bob)):
                assert await client.wait_until_restored(10)
                client.draw(name, {"x": 1})
            await asyncio.gather(say(ann, "ann", range(5)), say(bob, "bob", range(8)))
            await say(ann, "ann", range(5, 10))
            await wait_until(lambda: len(ann_saw.texts) == 10, "ann heard herself")
            await wait_until(lambda: len(bob_saw.texts) == 8, "bob heard himself")
            assert ann_saw.texts == [f"ann {n}" for n in range(10)]
            assert bob_saw.texts == [f"bob {n}" for n in range(8)]
            assert [event["text"] for event in await read_log(staging, session_id)] == (
                bob_saw.texts
            )
            assert (set(ann.elements), set(bob.elements)) == ({"ann"}, {"bob"})
            assert ann_saw.restarts == bob_saw.restarts == 0
        for backend in (production, staging):
            counters = backend.status()["counters"]
            assert (counters["logs_recovered"], counters["logs_forked"]) == (0, 0)
