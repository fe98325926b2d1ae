"""Writes that wait for replicas, and for no more than are connected."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.health.rehearsal import rehearse
from isshoni.backend.store.ports import Appended
from isshoni.backend.store.redis.link import Durability
from isshoni.backend.store.redis.store import RedisStore
from tests.integration.backend.test_redis_cluster import resend_until_appended
from tests.integration.backend.test_redis_failover import ONE_REPLICA, open_store, pair
from tests.support.redis_cluster import ask, wait_for
from tests.support.valkey import ValkeyServer

__all__ = ["pair"]


WHEN_CONNECTED = Durability(1, timeout_seconds=0.5, policy="best-effort", lag_limit_seconds=2)


@pytest.mark.spec("A4")
async def test_best_effort_acknowledges_without_a_replica_that_was_killed(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, WHEN_CONNECTED) as store:
        assert await store.append_chat("team", "c", 1, b"{}") == Appended(1)
        assert ask(replica, "HGET", "chat:{team}:clients", "c") == b"1"
        assert is_fully_replicated(store)
        await asyncio.to_thread(replica.kill)
        for n in range(2, 12):
            assert await store.append_chat("team", "c", n, b"{}") == Appended(n)
        assert store.shortage == "0 of 1 replicas"
        assert store.writes_short_of_replicas == 10
        await asyncio.to_thread(replica.start)
        ask(replica, "REPLICAOF", "127.0.0.1", primary.port)
        await asyncio.to_thread(wait_for, lambda: ask(replica, "ROLE")[3] == b"connected")
        await _write_until_replicated(store)
        n = await _write_one(store)
        assert ask(replica, "HGET", "chat:{team}:clients", "writer") == b"%d" % n


async def test_best_effort_waits_for_a_replica_that_hangs_until_its_lag_is_too_great(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, WHEN_CONNECTED) as store:
        await store.append_chat("team", "c", 1, b"{}")
        replica.freeze()
        # It is connected, and may be behind by a moment: the write is not acknowledged.
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.append_chat("team", "c", 2, b"{}")
        assert is_fully_replicated(store)
        await resend_until_appended(store, "team", "c", 2)
        assert store.shortage == "0 of 1 replicas"
        assert await store.append_chat("team", "c", 3, b"{}") == Appended(3)
        replica.thaw()
        await _write_until_replicated(store)


async def test_required_refuses_every_write_without_a_connected_replica(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, ONE_REPLICA) as store:
        await store.append_chat("team", "c", 1, b"{}")
        await asyncio.to_thread(replica.kill)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
                await store.append_chat("team", "c", 2, b"{}")
        assert store.writes_short_of_replicas == 0


async def test_best_effort_with_one_of_two_replicas_waits_for_that_one(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, replace(WHEN_CONNECTED, replicas=2)) as store:
        for n in range(1, 20):
            assert await store.append_chat("team", "c", n, b"{}") == Appended(n)
            assert ask(replica, "HGET", "chat:{team}:clients", "c") == b"%d" % n
        assert store.shortage == "1 of 2 replicas"
        replica.freeze()
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.append_chat("team", "c", 20, b"{}")


async def test_best_effort_without_the_right_to_info_saves_nothing_and_names_the_right(
    pair: list[ValkeyServer],
) -> None:
    primary, _ = pair
    ask(primary, "ACL", "SETUSER", "default", "-info")
    async with open_store(primary.url, WHEN_CONNECTED) as store:
        found = await rehearse(store)
        assert found.fault is None, "clients can enter and read"
        assert "+info" in (found.limit or "")


async def test_settings_of_redis_are_read_while_writes_wait_for_a_replica(
    pair: list[ValkeyServer],
) -> None:
    primary, replica = pair
    async with open_store(primary.url, Durability(1, timeout_seconds=60.0)) as store:
        await store.open_session("team")
        replica.freeze()
        waiting = asyncio.create_task(store.append_chat("team", "c", 1, b"{}"))
        await asyncio.to_thread(wait_for, lambda: ask(primary, "XLEN", "chat:{team}:log") == 1)
        async with asyncio.timeout(30):
            (info,) = await store.read_info()
        assert info is not None
        assert not waiting.done()
        replica.thaw()
        await waiting


def is_fully_replicated(store: RedisStore) -> bool:
    return store.shortage is None


async def _write_one(store: RedisStore) -> int:
    n = (await store.read_standing("team", "writer")).last_n + 1
    assert isinstance(await store.append_chat("team", "writer", n, b"{}"), Appended)
    return n


async def _write_until_replicated(store: RedisStore) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(StoreUnavailable):
                await _write_one(store)
                if is_fully_replicated(store):
                    return
            await asyncio.sleep(0.05)
