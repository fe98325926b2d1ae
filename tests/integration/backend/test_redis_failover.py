"""The store over sentinels, and writes that wait for replicas."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.health.rehearsal import Rehearsed, rehearse
from isshoni.backend.store.ports import Appended, Behind, Duplicate, Gap, Published
from isshoni.backend.store.redis.link import Durability, LinkSettings
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.session.messages import Position
from tests.integration.backend.test_redis_cluster import payloads_of, resend_until_appended
from tests.support.redis_cluster import ask, wait_for
from tests.support.sentinel import WatchedPair
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

ONE_REPLICA = Durability(1, timeout_seconds=0.5)


@asynccontextmanager
async def open_store(url: str, durability: Durability | None = None) -> AsyncIterator[RedisStore]:
    link = LinkSettings(
        connect_timeout_seconds=1.0,
        command_timeout_seconds=3.0 + (durability.timeout_seconds if durability else 0),
        heartbeat_seconds=0.1,
        durability=durability,
    )
    store = RedisStore(url, StoreSettings(link=link, lag_interval_seconds=3600))
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


@pytest.mark.spec("A4")
async def test_when_the_primary_dies_the_one_that_sentinels_name_takes_over(
    tmp_path: Path,
) -> None:
    with WatchedPair(tmp_path, password="secret") as pair:
        async with open_store(pair.url) as store:
            heard: list[Published] = []
            told: list[bool] = []
            store.on_reconnect(lambda: told.append(True))
            await store.subscribe("team", heard.append)
            await resend_until_appended(store, "team", "c", 1)
            first, second = pair.primary, pair.replica
            await asyncio.to_thread(wait_for, lambda: ask(second, "EXISTS", "chat:{team}:log"))
            await asyncio.to_thread(first.kill)
            await resend_until_appended(store, "team", "c", 2)
            assert pair.primary is second
            await wait_until(lambda: told, "they re-read")
            await resend_until_appended(store, "team", "c", 3)
            assert await payloads_of(store, "team") == [b'{"n":%d}' % n for n in (1, 2, 3)]
            await wait_until(lambda: heard and heard[-1].seq == 3, "it is heard again")


@pytest.mark.spec("A4")
async def test_a_demoted_primary_is_left_and_nothing_that_waited_is_lost(tmp_path: Path) -> None:
    with WatchedPair(tmp_path) as pair:
        # Without the wait, what the old primary took after the promotion would be lost.
        async with open_store(pair.url, ONE_REPLICA) as store:
            before = pair.primary
            await resend_until_appended(store, "team", "c", 1)
            await asyncio.to_thread(pair.fail_over)
            for n in range(2, 200):
                await resend_until_appended(store, "team", "c", n)
                if n > 20 and pair.primary is not before:
                    break
                await asyncio.sleep(0.05)
            await asyncio.to_thread(wait_for, lambda: ask(before, "ROLE")[0] == b"slave")
            await resend_until_appended(store, "team", "c", n + 1)
            assert len(await payloads_of(store, "team")) == n + 1
            last = ask(pair.primary, "XREVRANGE", "chat:{team}:log", "+", "-", "COUNT", 1)
            assert last[0][1][1] == b'{"n":%d}' % (n + 1)


async def test_sentinels_that_are_away_are_passed_over_and_named(tmp_path: Path) -> None:
    with WatchedPair(tmp_path) as pair:
        async with open_store(pair.url.replace("//", "//127.0.0.1:1,", 1)) as store:
            assert (await store.open_session("team")).chat_seq == 0
        async with open_store(pair.url.replace("the-primary", "another")) as store:
            with pytest.raises(StoreUnavailable, match=r"no sentinel knows another .*no such"):
                await store.open_session("team")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[ValkeyServer]]:
    # Otherwise a replica waits 5 s for others before its first copy.
    at_once = {"repl-diskless-sync-delay": "0"}
    servers = [ValkeyServer(tmp_path / str(i), options=at_once) for i in range(2)]
    try:
        for server in servers:
            server.start()
        ask(servers[1], "REPLICAOF", "127.0.0.1", servers[0].port)
        wait_for(lambda: ask(servers[1], "ROLE")[3] == b"connected")
        yield servers
    finally:
        for server in servers:
            server.stop()


async def test_a_write_waits_for_the_disks_if_that_is_wanted(pair: list[ValkeyServer]) -> None:
    primary, replica = pair
    # A replica tells of its fsync once a second only.
    async with open_store(primary.url, Durability(1, fsync=True, timeout_seconds=1.5)) as store:
        assert await store.append_chat("team", "c", 1, b"{}") == Appended(1)
        assert ask(replica, "HGET", "chat:{team}:clients", "c") == b"1"
        replica.freeze()
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.append_chat("team", "c", 2, b"{}")
        replica.thaw()
    async with open_store(primary.url, Durability(0, fsync=True)) as store:
        assert await store.append_chat("team", "c", 2, b"{}") == Duplicate(2)
        ask(primary, "CONFIG", "SET", "appendonly", "no")
        with pytest.raises(StoreUnavailable, match="appendonly"):
            await store.append_chat("team", "c", 3, b"{}")


async def test_a_write_is_acknowledged_only_once_a_replica_has_it(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, ONE_REPLICA) as store:
        for n in range(1, 51):
            assert await store.append_chat("team", "c", n, b"{}") == Appended(n)
            assert ask(replica, "HGET", "chat:{team}:clients", "c") == b"%d" % n
        replica.freeze()
        began = monotonic()
        with pytest.raises(StoreUnavailable, match=r"0 of 1 replicas have it after 0\.5 s"):
            await store.append_chat("team", "c", 51, b"{}")
        assert 0.4 < monotonic() - began < 2.0
        # The resend finds it written, and must wait all the same.
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.append_chat("team", "c", 51, b"{}")
        replica.thaw()
        assert await store.append_chat("team", "c", 51, b"{}") == Duplicate(51)
        assert await store.append_chat("team", "c", 52, b"{}") == Appended(52)


@pytest.mark.spec("A4")
async def test_what_only_reads_waits_for_no_replica(pair: list[ValkeyServer]) -> None:
    primary, replica = pair
    patient = Durability(1, timeout_seconds=60.0)
    async with open_store(primary.url, patient) as store:
        head = await store.open_session("team")
        await store.append_chat("team", "c", 1, b"{1}")
        await store.append_canvas("team", b"u1")
        replica.freeze()
        # From here on the connection for writes stands still, for longer than the test lasts.
        waiting = asyncio.create_task(store.append_chat("team", "other", 1, b"{}"))
        await asyncio.to_thread(wait_for, lambda: ask(primary, "XLEN", "chat:{team}:log") == 2)
        async with asyncio.timeout(30), open_store(primary.url, patient) as newcomer:
            for one in (store, newcomer):
                assert (await one.open_session("team")).epoch == head.epoch
                assert len(await one.read_recent_chat("team", limit=9)) == 2
                assert (await one.read_standing("team", "c")).last_n == 1
                assert (await one.load_canvas("team")).seq == 1
                await one.publish_awareness("team", b"here")
                # Readiness asks often: it would be late each time.
                assert await one.probe() >= 0
            # These write nothing: the answer is as good without a replica.
            assert await newcomer.append_chat("team", "c", 9, b"{9}") == Gap(2)
            known = Position(head.epoch, 99)
            assert await newcomer.append_chat("team", "c", 2, b"{}", known=known) == Behind()
            assert await newcomer.append_canvas("team", b"u", known=known) == Behind()
            assert not await newcomer.compact_canvas("team", b"s", upto=99)
        assert not waiting.done()
        replica.thaw()
        assert await waiting == Appended(2)


@pytest.mark.spec("A9")
async def test_a_rehearsal_tells_of_writes_that_no_replica_has(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    slow = Durability(1, timeout_seconds=1.5)
    async with open_store(primary.url, slow) as store:
        assert await rehearse(store) == Rehearsed()
        replica.freeze()
        found = await rehearse(store)
        assert found.fault is None, "clients can enter and read"
        assert "0 of 1 replicas" in (found.limit or "")
        replica.thaw()
        assert await rehearse(store) == Rehearsed()


async def test_a_file_sent_again_waits_for_the_file_too(pair: list[ValkeyServer]) -> None:
    primary, replica = pair
    async with (
        open_store(primary.url, ONE_REPLICA) as one,
        open_store(primary.url, ONE_REPLICA) as two,
    ):
        await one.open_session("team")
        replica.freeze()
        for store in (one, two):
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
                await store.keep_file("team", "a", b"file", room_bytes=10_000)
        replica.thaw()
        assert await two.keep_file("team", "a", b"file", room_bytes=10_000) == "present"


@pytest.mark.spec("A4")
async def test_a_read_only_replica_is_read_while_writes_to_it_are_tried(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url) as store:
        await store.append_chat("team", "c", 1, b"{1}")
    await asyncio.to_thread(wait_for, lambda: ask(replica, "EXISTS", "chat:{team}:log"))
    async with open_store(replica.url) as store:
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="READONLY"):
                await store.append_chat("team", "c", 2, b"{2}")
            assert (await store.open_session("team")).chat_seq == 1
            assert await payloads_of(store, "team") == [b"{1}"]
        await wait_until(lambda: store.meter.reconnects > 0, "it looks for the primary")


async def test_a_resend_through_another_process_waits_for_the_message_too(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with (
        open_store(primary.url, ONE_REPLICA) as one,
        open_store(primary.url, ONE_REPLICA) as two,
    ):
        await one.append_chat("team", "c", 1, b"{}")
        replica.freeze()
        for store in (one, two):
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
                await store.append_chat("team", "c", 2, b"{}")
        replica.thaw()
        assert await two.append_chat("team", "c", 2, b"{}") == Duplicate(2)


async def test_writes_share_their_waits_and_none_takes_the_link_down(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, ONE_REPLICA) as store:
        results = await asyncio.gather(
            *(store.append_chat("team", f"c{i}", 1, b"{}") for i in range(500))
        )
        assert all(isinstance(result, Appended) for result in results)
        stats = ask(primary, "INFO", "commandstats").decode()
        waits = int(stats.split("cmdstat_wait:calls=")[1].split(",")[0])
        assert waits < 100
        replica.freeze()
        reconnects = store.meter.reconnects
        for _ in range(3):
            faults = await asyncio.gather(
                *(store.append_chat("team", f"c{i}", 2, b"{}") for i in range(100)),
                return_exceptions=True,
            )
            assert all("replicas have it" in str(fault) for fault in faults)
        assert store.meter.reconnects == reconnects
        replica.thaw()
