"""The store on a real cluster: slots that move, primaries that die."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.ports import Appended, Duplicate, Published
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.link import Durability, LinkSettings
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from tests.support.redis_cluster import SLOTS, RedisCluster
from tests.support.waiting import wait_until

QUICK = StoreSettings(
    link=LinkSettings(
        connect_timeout_seconds=1.0, command_timeout_seconds=1.0, heartbeat_seconds=0.1
    ),
    lag_interval_seconds=0.05,
    reread_delay_seconds=0.02,
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@asynccontextmanager
async def open_store(url: str, settings: StoreSettings = QUICK) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, settings)
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


async def resend_until_appended(
    store: RedisStore, session_id: str, client_id: str, n: int, seconds: float = 20.0
) -> None:
    """Do as an outbox does."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                result = await store.append_chat(session_id, client_id, n, b'{"n":%d}' % n)
            except StoreUnavailable:
                await asyncio.sleep(0.02)
                continue
            assert isinstance(result, Appended | Duplicate), result
            return


async def payloads_of(store: RedisStore, session_id: str) -> list[bytes]:
    entries = await store.read_chat(session_id, after=0, limit=100_000)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    return [entry.payload for entry in entries]


async def test_sessions_are_spread_and_each_is_served_by_the_node_that_owns_it(
    cluster: RedisCluster,
) -> None:
    async with open_store(cluster.url) as store, open_store(cluster.url) as other:
        names = [secrets.token_hex(8) for _ in range(60)]
        thirds = {session_keys(name).slot * 3 // SLOTS for name in names}
        assert thirds == {0, 1, 2}
        heard: dict[str, list[Published]] = {name: [] for name in names}
        for name in names:
            await other.subscribe(name, heard[name].append)
        await asyncio.gather(*(store.append_chat(name, "c", 1, b"{1}") for name in names))
        await wait_until(lambda: all(heard.values()), "every session is heard")
        assert store.meter.errors == 0, "nobody was asked for what it does not own"
        found = await store.sample_sessions(10_000)
        assert set(names) <= set(found)
        some = await store.sample_sessions(9)
        assert {session_keys(name).slot * 3 // SLOTS for name in some} == {0, 1, 2}


async def test_one_living_seed_is_enough(cluster: RedisCluster) -> None:
    seed = f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster.servers[2].port}"
    async with open_store(seed) as store:
        await wait_until(lambda: store.connected, "the topology is known")
        for _ in range(10):
            await store.open_session(secrets.token_hex(8))


@pytest.mark.spec("A4")
@pytest.mark.parametrize("pause", ["before the keys", "amid the keys", "after the keys"])
async def test_a_slot_that_moves_amid_appends_loses_and_doubles_nothing(
    cluster: RedisCluster, session_id: str, pause: str
) -> None:
    slot = session_keys(session_id).slot
    source = cluster.owner_of(slot)
    target = next(server for server in cluster.primaries if server is not source)
    async with open_store(cluster.url) as store, open_store(cluster.url) as other:
        heard: list[Published] = []
        rereads: list[int] = []
        other.on_reconnect(lambda: rereads.append(len(heard)))
        await other.subscribe(session_id, heard.append)
        sent = 0

        async def send(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                await resend_until_appended(store, session_id, "c", sent + 1)
                sent += 1

        await send(20)
        await asyncio.to_thread(cluster.begin_to_move, slot, source, target)
        if pause == "before the keys":
            await send(20)
        if pause == "amid the keys":
            await asyncio.to_thread(cluster.move_keys, slot, source, target, 2)
            sending = asyncio.create_task(send(20))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cluster.move_keys, slot, source, target)
            await sending
        await asyncio.to_thread(cluster.move_keys, slot, source, target)
        if pause == "after the keys":
            await send(20)
            assert len(await payloads_of(store, session_id)) == 40
        await asyncio.to_thread(cluster.end_the_move, slot, source, target)
        await send(20)
        assert len(await payloads_of(other, session_id)) == sent
        await wait_until(lambda: rereads, "subscribers are told to re-read")

        heard.clear()
        await wait_until(lambda: other.connected, "the topology is settled")
        for _ in range(100):
            await send(1)
            if heard:
                break
            await asyncio.sleep(0.05)
        assert heard, "the channel is heard at its new place"


async def test_the_probe_tries_every_primary(tmp_path: Path) -> None:
    with RedisCluster(tmp_path / "cluster") as cluster:
        async with open_store(cluster.url) as store:
            assert await store.probe() > 0
            cluster.servers[1].freeze()
            with pytest.raises(StoreUnavailable):
                await store.probe()
            cluster.servers[1].thaw()


@pytest.mark.spec("A4")
async def test_a_primary_that_dies_is_replaced_and_every_session_goes_on(tmp_path: Path) -> None:
    with RedisCluster(tmp_path / "cluster", replicas=True) as cluster:
        waiting = replace(
            QUICK, link=replace(QUICK.link, durability=Durability(1, timeout_seconds=0.5))
        )
        async with open_store(cluster.url, waiting) as store, open_store(cluster.url) as other:
            names = [secrets.token_hex(8) for _ in range(12)]
            heard: dict[str, list[Published]] = {name: [] for name in names}
            for name in names:
                await other.subscribe(name, heard[name].append)
                await resend_until_appended(store, name, "c", 1)
            told: list[bool] = []
            other.on_reconnect(lambda: told.append(True))
            await asyncio.to_thread(cluster.servers[0].kill)
            # A primary that has just been promoted has no replica to wait for: the dead one
            # is to come back as such.
            await asyncio.to_thread(cluster.wait_until_replaced, 0)
            await asyncio.to_thread(cluster.servers[0].start)
            for n in (2, 3):
                await asyncio.gather(
                    *(resend_until_appended(store, name, "c", n) for name in names)
                )
            await wait_until(lambda: told and other.connected, "they re-read")
            for name in names:
                await resend_until_appended(store, name, "c", 4)
                assert await payloads_of(other, name) == [b'{"n":%d}' % n for n in (1, 2, 3, 4)]
            await wait_until(
                lambda: all(inbox and inbox[-1].seq == 4 for inbox in heard.values()),
                "every session is heard from the new primary",
            )
