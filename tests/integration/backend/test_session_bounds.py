"""Sessions that expire, and the quota of stored ones, as clients meet them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pycrdt import Doc

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.redis.keys import SWEEP_KEY, session_keys
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.client import SessionClient
from isshoni.session.sync import make_step1
from tests.integration.client.recorder import QUICK, Recorder
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


@pytest.mark.spec("A7")
async def test_a_new_session_beyond_the_quota_is_refused_and_the_others_go_on(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    with BackendProcess(
        own_valkey.url, tmp_path / "log", ISSHONI_MAX_SESSIONS_STORED="1"
    ) as backend:
        backend.wait_until_ready()
        ann = await backend.join("one", client_id="ann")
        for frame in ('{"type":"restore_session","session_id":"two"}', make_step1(Doc())):
            late = await backend.connect("two")
            await late.connection.send(frame)
            assert await late.close_code() == 4409
        await ann.chat(1, "goes on")
        assert (await ann.read("ack"))["n"] == 1
        counters = backend.status()["counters"]
        assert counters["refused_sessions"] == 2
        # A deploy is judged by these.
        assert (counters["redis_errors"], counters["restore_failures"]) == (0, 0)
        assert "ISSHONI_MAX_SESSIONS_STORED" in backend.log
        async with httpx.AsyncClient() as http:
            assert (await http.delete(f"{backend.url}/sessions/one")).status_code == 204
        await (await backend.join("two", client_id="ann")).close()


@pytest.mark.spec("A7")
async def test_an_old_copy_does_not_bring_an_expired_session_back(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    store = RedisStore(own_valkey.url, StoreSettings(session_expiry_seconds=0.2))
    await store.start()
    recorder = Recorder()
    with BackendProcess(
        own_valkey.url, tmp_path / "log", ISSHONI_SESSION_EXPIRY_DAYS="1"
    ) as backend:
        backend.wait_until_ready()
        url = backend.url.replace("http", "ws")
        async with SessionClient(url, "s", listener=recorder, settings=QUICK) as ann:
            assert await ann.wait_until_restored(20)
            ann.draw("a", {"x": 1})
            assert await ann.wait_until_saved(20)
            await store.sweep_sessions()
            assert await store.has_session("s"), "it is open"
            backend.process.kill()
            backend.process.wait()
            ann.draw("b", {"x": 2})
            await _expire(store, "s")
            backend.start()
            await wait_until(lambda: recorder.changes[-1].close_code == 4410, "it was refused")
    with pytest.raises(SessionDeleted):
        await store.open_session("s")
    await store.aclose()


@pytest.mark.spec("A7")
async def test_a_session_is_recorded_as_used_when_it_is_opened_and_closed(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    store = RedisStore(own_valkey.url)
    await store.start()
    with BackendProcess(
        own_valkey.url, tmp_path / "log", ISSHONI_SESSION_EXPIRY_DAYS="1"
    ) as backend:
        backend.wait_until_ready()
        ann = await backend.join("s", client_id="ann")
        opened = await _read_use_after(store, 0)
        await ann.close()
        assert await _read_use_after(store, opened) > opened
    await store.aclose()


@pytest.mark.spec("A7")
async def test_nothing_expires_for_the_time_in_which_no_use_was_recorded(
    own_valkey: ValkeyServer,
) -> None:
    quota = RedisStore(own_valkey.url, StoreSettings(max_sessions=100))
    limited = RedisStore(own_valkey.url, StoreSettings(session_expiry_seconds=30.0))
    for store in (quota, limited):
        store._sweeps = False
        await store.start()
    await quota.open_session("s")
    keys = session_keys("s")
    await quota._nodes.execute(keys.slot, b"HSET", keys.meta, b"created_ms", b"1")
    for store in (quota, limited, quota, limited):
        assert (await store.sweep_sessions()).expired == 0
    # Since yesterday: now the sweeps have been without a break for long enough.
    now = await limited._nodes.execute(0, b"HGET", SWEEP_KEY, b"last_ms")
    yesterday = int(now) - 86_400_000
    await limited._nodes.execute(0, b"HSET", SWEEP_KEY, b"watched_since_ms", yesterday)
    assert (await quota.sweep_sessions()).expired == 0
    assert (await limited.sweep_sessions()).expired == 1
    for store in (quota, limited):
        await store.aclose()


@pytest.mark.spec("A7")
async def test_a_break_of_the_sweeps_starts_the_time_again(own_valkey: ValkeyServer) -> None:
    store = RedisStore(own_valkey.url, StoreSettings(session_expiry_seconds=30.0))
    store._sweeps = False
    await store.start()
    await store.open_session("s")
    keys = session_keys("s")
    await store._nodes.execute(keys.slot, b"HSET", keys.meta, b"created_ms", b"1")
    await store.sweep_sessions()
    now = int(await store._nodes.execute(0, b"HGET", SWEEP_KEY, b"last_ms"))
    for last in (now - 4 * 3_600_000, now + 40 * 86_400_000):  # a break; a clock that was ahead
        order = (b"watched_since_ms", now - 90 * 86_400_000, b"last_ms", last)
        await store._nodes.execute(0, b"HSET", SWEEP_KEY, *order)
        assert (await store.sweep_sessions()).expired == 0
    await store.aclose()


async def _expire(store: RedisStore, session_id: str) -> None:
    for _ in range(1500):
        if (await store.sweep_sessions()).expired:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing expired")


async def _read_use_after(store: RedisStore, before: int) -> int:
    """Return when the session was used last, once that is later than `before`."""
    slot = session_keys("s").slot
    for _ in range(3000):
        used = await store._nodes.execute(slot, b"HGET", session_keys("s").meta, b"used_ms")
        if int(used or 0) > before:
            return int(used)
        await asyncio.sleep(0.01)
    raise AssertionError("no use was recorded")
