"""Two environments on one server, in different databases: nothing crosses."""

import asyncio
from pathlib import Path

import pytest

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import Published
from isshoni.backend.store.redis.channels import ChannelNames
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from tests.integration.backend.test_failover import Witness, client_of, read_log, say
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


async def open_store(valkey: ValkeyServer, database: int, secret: str = "") -> RedisStore:
    settings = StoreSettings(channel_secret=secret)
    store = RedisStore(f"redis://127.0.0.1:{valkey.port}/{database}", settings)
    await store.start()
    return store


def open_channel(session_id: str, database: int) -> bytes:
    """Return the channel that version 0.2.0 uses."""
    return ChannelNames("", database).open_name(session_id)


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
@pytest.mark.parametrize("database", [0, 1])
async def test_what_is_published_on_the_open_channel_is_a_hint_and_nothing_more(
    valkey: ValkeyServer, session_id: str, database: int
) -> None:
    """Version 0.2.0 publishes there; so can anything else on that Redis."""
    store = await open_store(valkey, database)
    heard: list[Published] = []
    await store.subscribe(session_id, heard.append)
    channel = open_channel(session_id, database)
    for message in (b"a0:awareness", b"e0:@1", b"nonsense"):
        await store._nodes.execute(0, b"SPUBLISH", channel, message)
    for message in (b"c1:{}", b"y1:update", b"d0:", b"e0:0123456789abcdef"):
        await store._nodes.execute(0, b"SPUBLISH", channel, message)
        await wait_until(lambda: heard, "it was told to read")
        assert [one.kind for one in heard] == ["unread"]
        heard.clear()
    await store.aclose()


@pytest.mark.spec("A5")
@pytest.mark.parametrize("database", [0, 1])
async def test_an_earlier_version_receives_each_change_on_the_open_channel(
    valkey: ValkeyServer, session_id: str, database: int
) -> None:
    store, other = await open_store(valkey, database), await open_store(valkey, database)
    heard: list[Published] = []
    await store.subscribe(session_id, heard.append)
    before: list[bytes] = []
    slot, channel = session_keys(session_id).slot, open_channel(session_id, database)
    await other._nodes.channels.subscribe(slot, channel, before.append)
    await do_everything(store, session_id, b"one")
    await wait_until(lambda: len(before) == 4, "the earlier version received all that is stored")
    assert [one[:1] for one in before] == [b"e", b"c", b"y", b"d"]
    assert before[1:3] == [b'c1:{"of":"one"}', b"y1:update of one"]
    await store.publish_awareness(session_id, b"the last")
    await wait_until(lambda: heard[-1].payload == b"the last", "the store received its own")
    assert [one.kind for one in heard] == ["chat", "canvas", "awareness", "deleted", "awareness"]
    for one in (store, other):
        await one.aclose()


@pytest.mark.spec("A5")
async def test_nothing_is_published_twice_once_every_process_has_this_version(
    valkey: ValkeyServer, session_id: str
) -> None:
    stores = [await open_store(valkey, 0) for _ in range(3)]
    received: list[bytes] = []
    for store in stores:
        store._listeners.deliver_hint = lambda *hint: received.append(hint[2])  # type: ignore[method-assign]
        await store.subscribe(session_id, lambda _: None)
    heard: list[Published] = []
    await stores[2].subscribe(session_id, heard.append)
    await do_everything(stores[0], session_id, b"one")
    await wait_until(lambda: len(heard) == 4, "all was received")
    assert received == []
    for store in stores:
        await store.aclose()


@pytest.mark.spec("A7")
async def test_two_deployments_in_one_database_read_what_the_other_wrote(
    valkey: ValkeyServer, session_id: str
) -> None:
    """They share the keys; only what each publishes is its own."""
    ours, theirs = await open_store(valkey, 0, "our secret"), await open_store(valkey, 0, "theirs")
    heard: list[Published] = []
    await ours.subscribe(session_id, heard.append)
    await theirs.subscribe(session_id, lambda _: None)
    await theirs.append_chat(session_id, "ann", 1, b"{}")
    await wait_until(lambda: heard, "ours was told to read")
    assert [one.kind for one in heard] == ["unread"]
    for store in (ours, theirs):
        await store.aclose()


def test_the_name_of_a_channel_depends_on_secret_database_and_session() -> None:
    names = {
        ChannelNames(secret, database).keyed_name(session)
        for secret in ("one", "two")
        for database in (0, 1, 11)
        for session in ("a", "1a", "b")
    }
    assert len(names) == 18
    name = ChannelNames("one", 3).keyed_name("a")
    assert name.startswith(b"live:3:{a}:")
    assert len(name) == len(b"live:3:{a}:") + 22


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
