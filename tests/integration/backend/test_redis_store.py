"""The store against a real Valkey that is killed, frozen, filled and emptied."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.ports import Appended, Behind, Duplicate, Entry, Published
from isshoni.backend.store.redis.link import LinkSettings, RedisLink, RedisMeter, parse_redis_url
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

QUICK = StoreSettings(
    link=LinkSettings(
        connect_timeout_seconds=1.0, command_timeout_seconds=0.4, heartbeat_seconds=0.1
    ),
    lag_interval_seconds=0.05,
    reread_delay_seconds=0.02,
)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "data") as server:
        yield server


@asynccontextmanager
async def open_store(url: str, settings: StoreSettings = QUICK) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, settings)
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def open_link(url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(parse_redis_url(url).primary, QUICK.link, RedisMeter())
    await link.start()
    try:
        yield link
    finally:
        await link.aclose()


class Sender:
    """A client with an outbox: sends n until it is acknowledged, then n + 1."""

    def __init__(self, store: RedisStore, session_id: str, client_id: str) -> None:
        self._store = store
        self._session_id = session_id
        self._client_id = client_id
        self.acknowledged = 0
        self.unknown = 0

    async def send_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            n = self.acknowledged + 1
            text = f"{self._client_id}:{n}".encode()
            try:
                result = await self._store.append_chat(self._session_id, self._client_id, n, text)
            except StoreUnavailable:
                self.unknown += 1
                await asyncio.sleep(0.01)
                continue
            assert isinstance(result, Appended | Duplicate), result
            self.acknowledged = n


@pytest.mark.spec("A4")
async def test_kill_9_amid_appends_loses_and_doubles_nothing(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as store:
        stop = asyncio.Event()
        senders = [Sender(store, "team", f"c{i}") for i in range(20)]
        sending = [asyncio.create_task(sender.send_until(stop)) for sender in senders]
        for kill in range(1, 4):
            enough = 20 * kill
            await wait_until(
                lambda enough=enough: all(s.acknowledged >= enough for s in senders),  # type: ignore[misc]
                "everybody has sent some",
            )
            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(valkey.start)
        await wait_until(lambda: store.connected, "the store is back")
        await wait_until(lambda: all(s.acknowledged >= 80 for s in senders), "all go on")
        stop.set()
        await asyncio.gather(*sending)
        assert all(sender.unknown > 0 for sender in senders)

        entries = await store.read_chat("team", after=0, limit=1_000_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        for i, sender in enumerate(senders):
            mine = [e.payload for e in entries if e.payload.startswith(b"c%d:" % i)]
            assert mine == [b"c%d:%d" % (i, n) for n in range(1, sender.acknowledged + 1)]


@pytest.mark.spec("A4")
async def test_after_a_cut_a_subscriber_is_told_when_it_can_read_again(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store:
        heard: list[Published] = []
        reread: list[asyncio.Task[list[Entry]]] = []
        store.on_reconnect(
            lambda: reread.append(asyncio.create_task(store.read_chat("team", after=1, limit=10)))
        )
        await store.subscribe("team", heard.append)
        await store.append_chat("team", "c", 1, b"{1}")
        await wait_until(lambda: heard, "the first")

        await asyncio.to_thread(valkey.kill)
        await wait_until(lambda: not store.connected, "the loss is noticed")
        await asyncio.to_thread(valkey.start)
        async with open_store(valkey.url) as other:
            await other.append_chat("team", "c", 2, b"{2}")
        await wait_until(lambda: reread, "it is told to re-read")
        # What was appended before it subscribed again is in the log by now; the rest it hears.
        if not any(entry.seq == 2 for entry in await reread[0]):
            await wait_until(lambda: any(entry.seq == 2 for entry in heard), "the second")

        await store.append_chat("team", "c", 3, b"{3}")
        await wait_until(lambda: heard[-1].seq == 3, "it hears again")


async def test_one_second_of_a_frozen_redis_fails_nothing_under_the_default_timeouts(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url, StoreSettings()) as store:
        await store.open_session("team")
        valkey.freeze()
        appending = asyncio.gather(
            *(store.append_chat("team", f"c{i}", 1, b"{}") for i in range(50))
        )
        asyncio.get_running_loop().call_later(1.0, valkey.thaw)
        assert len(await appending) == 50
        assert store.meter.errors == 0
        assert store.latency_ms >= 900
        assert store.pubsub_lag_ms >= 0


async def test_out_of_memory_is_unavailable_and_writes_nothing_at_all(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store:
        heard: list[Published] = []
        await store.subscribe("team", heard.append)
        before = await store.open_session("team")
        await store.append_chat("team", "c", 1, b"{1}")
        valkey.command("CONFIG", "SET", "maxmemory", "1")
        for write in (
            store.append_chat("team", "c", 2, b"{2}"),
            store.append_chat("fresh", "c", 1, b"{1}"),
            store.append_canvas("team", b"u"),
            store.open_session("fresh"),
        ):
            with pytest.raises(StoreUnavailable, match="OOM"):
                await write
        assert (await store.read_standing("team", "c")).last_n == 1
        assert await store.sample_sessions(10) == ["team"]

        valkey.command("CONFIG", "SET", "maxmemory", "0")
        assert await store.append_chat("team", "c", 2, b"{2}") == Appended(2)
        after = await store.open_session("team")
        assert (after.epoch, after.chat_seq, after.canvas_seq) == (before.epoch, 2, 0)
        await wait_until(lambda: len(heard) == 2, "both messages")
        assert [publication.seq for publication in heard] == [1, 2]


async def test_a_replica_is_unavailable_and_let_go_of(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as store:
        valkey.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnavailable, match=r"READONLY|MASTERDOWN"):
            await store.append_chat("team", "c", 1, b"{}")
        await wait_until(lambda: store.meter.reconnects > 0, "it looks for the new primary")
        valkey.command("REPLICAOF", "NO", "ONE")
        await wait_until(lambda: store.connected, "it is back")
        assert await store.append_chat("team", "c", 1, b"{}") == Appended(1)


async def test_a_log_in_the_way_of_a_write_leaves_nothing_half_written(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store, open_link(valkey.url) as link:
        before = await store.open_session("team")
        await link.execute(b"XADD", b"chat:{team}:log", b"99-0", b"e", b"foreign")
        assert await store.append_chat("team", "c", 1, b"{}") == Behind()
        assert await store.open_session("team") == before
        assert (await store.read_standing("team", "c")).last_n == 0


@pytest.mark.spec("A4")
async def test_a_redis_that_lost_everything_starts_a_new_epoch_and_says_so(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as holder, open_store(valkey.url) as writer:
        told: list[bool] = []
        holder.on_reconnect(lambda: told.append(True))
        await holder.subscribe("team", lambda publication: None)
        before = await holder.open_session("team")
        await writer.append_chat("team", "c", 1, b"{1}")
        valkey.command("FLUSHALL")
        assert await writer.append_chat("team", "c", 2, b"{2}") == Appended(1)
        await wait_until(lambda: told, "the holder is told to re-read")
        after = await holder.open_session("team")
        assert after.epoch != before.epoch
        assert after.chat_seq == 1


async def test_opening_a_new_session_tells_nobody_to_reread(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as one, open_store(valkey.url) as two:
        told: list[bool] = []
        heard: list[Published] = []
        for store in (one, two):
            store.on_reconnect(lambda: told.append(True))
            await store.subscribe("team", heard.append)
        await asyncio.gather(one.open_session("team"), two.open_session("team"))
        await one.append_canvas("team", b"u")
        await wait_until(lambda: len(heard) == 2, "both hear the update, after the birth")
        await asyncio.sleep(2 * QUICK.reread_delay_seconds)
        assert told == []


async def test_a_session_that_lost_its_meta_alone_goes_on_after_what_is_there(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store:
        before = await store.open_session("team")
        for n in (1, 2, 3):
            await store.append_chat("team", "c", n, b"{%d}" % n)
            await store.append_canvas("team", b"u%d" % n)
        await store.compact_canvas("team", b"s3", upto=3)
        valkey.command("DEL", "session:{team}:meta")
        assert await store.append_chat("team", "c", 4, b"{4}") == Appended(4)
        assert await store.append_canvas("team", b"u4") == 4
        after = await store.open_session("team")
        assert after.epoch != before.epoch
        assert len(await store.read_chat("team", after=0, limit=10)) == 4


async def test_a_snapshot_of_a_lost_log_does_not_replace_the_new_one(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store, open_store(valkey.url) as other:
        await store.subscribe("team", lambda publication: None)
        await store.open_session("team")
        await store.append_canvas("team", b"old")
        valkey.command("FLUSHALL")
        await other.append_canvas("team", b"new")
        assert not await store.compact_canvas("team", b"old snapshot", upto=1)
        assert (await other.load_canvas("team")).updates == [Entry(1, b"new")]


async def test_loading_a_canvas_amid_compactions_never_shows_a_hole(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store, open_store(valkey.url) as compactor:
        stop = asyncio.Event()

        async def edit_and_compact() -> None:
            while not stop.is_set():
                for _ in range(7):
                    seq = await compactor.append_canvas("team", b"u")
                assert isinstance(seq, int)
                await compactor.compact_canvas("team", b"%d" % (seq - 2), upto=seq - 2)

        editing = asyncio.create_task(edit_and_compact())
        try:
            for _ in range(200):
                canvas = await store.load_canvas("team")
                upto = int(canvas.snapshot or 0)
                assert [e.seq for e in canvas.updates] == list(range(upto + 1, canvas.seq + 1))
        finally:
            stop.set()
            await editing
        assert upto > 0


async def test_poison_in_a_channel_is_counted_and_dropped(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as store, open_link(valkey.url) as link:
        heard: list[Published] = []
        await store.subscribe("team", heard.append)
        poison = [b"", b"c", b"c1", b":", b"c:", b"c-1:x", b"c1_0:x", b"z1:x", b"c" + b"9" * 50]
        poison += [b"\xff\xfe1:x", b"c\xd9\xa1:x", secrets.token_bytes(4096)]
        for message in poison:
            await link.execute(b"SPUBLISH", store._channels.name("team"), message)
        await store.append_canvas("team", b"u")
        await wait_until(lambda: heard, "the publication behind the poison")
        assert heard == [Published("canvas", 1, b"u")]
        assert store.meter.poison == len(poison)


async def test_the_lag_grows_while_nothing_is_heard(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url, StoreSettings(lag_interval_seconds=0.02)) as store:
        await wait_until(lambda: 0 < store.pubsub_lag_ms < 200, "a first figure")
        valkey.freeze()
        await wait_until(lambda: store.pubsub_lag_ms > 300, "it grows")
        valkey.thaw()


async def test_only_its_own_publications_count_for_the_lag(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url, StoreSettings(lag_interval_seconds=0.02)) as store:
        await wait_until(lambda: 0 < store.pubsub_lag_ms, "a first figure")
        for message in (b"0.0", b"-1e9", b"nan", b"nonsense"):
            await store._nodes.execute(
                store._beacon._slot, b"SPUBLISH", store._beacon._channel, message
            )
        received = store._beacon._lags
        await wait_until(lambda: store._beacon._unanswered_since is None, "a later one")
        assert 0 < received.worst < 1000
        assert store.meter.poison == 0


async def test_sampling_passes_over_foreign_keys(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as store, open_link(valkey.url) as link:
        await store.open_session("team")
        for i in range(1000):
            await link.execute(b"SET", b"session:foreign%d:meta" % i, b"")
        assert await store.sample_sessions(10) == ["team"]


@pytest.mark.spec("A9")
async def test_the_probe_fails_when_redis_takes_no_writes(valkey: ValkeyServer) -> None:
    async with open_store(valkey.url) as store:
        assert await store.probe() > 0
        valkey.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="OOM"):
            await store.probe()


async def test_all_methods_of_a_store_without_redis_are_unavailable(tmp_path: Path) -> None:
    async with open_store(ValkeyServer(tmp_path).url) as store:
        for work in (
            store.open_session("team"),
            store.append_chat("team", "c", 1, b"{}"),
            store.append_canvas("team", b"u"),
            store.publish_awareness("team", b"a"),
            store.read_chat("team", after=0, limit=1),
            store.read_recent_chat("team", limit=1),
            store.read_canvas("team", after=0),
            store.load_canvas("team"),
            store.compact_canvas("team", b"s", upto=1),
            store.read_standing("team", "c"),
            store.subscribe("team", lambda publication: None),
            store.probe(),
            store.sample_sessions(1),
        ):
            with pytest.raises(StoreUnavailable, match="not connected"):
                await work
        await store.unsubscribe("team")
        assert store.meter.errors >= 13


async def test_a_log_is_rewritten_by_its_own_end_also_if_its_counter_is_behind(
    valkey: ValkeyServer,
) -> None:
    async with open_store(valkey.url) as store:
        for n in (1, 2):
            await store.append_chat("team", "c", n, b"{%d}" % n)
        valkey.command("HSET", "session:{team}:meta", "chat_seq", "1")
        assert not await store.rewrite_chat("team", [Entry(1, b"one")])
        assert await store.rewrite_chat("team", [Entry(1, b"one"), Entry(2, b"two")])
        entries = await store.read_chat("team", after=0, limit=10)
        assert [entry.payload for entry in entries] == [b"one", b"two"]
