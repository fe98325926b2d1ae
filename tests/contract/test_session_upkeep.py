"""The contract of `SessionSweeper` and of the quota, over Redis and over the fake."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from isshoni.backend.errors import SessionDeleted, SessionsFull
from isshoni.backend.store.ports import DeploymentStore, Published
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from tests.contract.session_stores import AnyServer
from tests.support.fake_store import FakeServer, FakeSessionStore

OpenBounded = Callable[[float, int], Awaitable[DeploymentStore]]


@pytest.fixture(params=["fake", "valkey", "redis7", "cluster"])
def server_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def open_bounded(server: AnyServer) -> AsyncIterator[OpenBounded]:
    """Open stores with an expiry in seconds and a quota; both may be 0."""
    stores: list[DeploymentStore] = []

    async def open_one(expiry_seconds: float, most: int) -> DeploymentStore:
        if isinstance(server, FakeServer):
            fake = FakeSessionStore(server, expiry_seconds=expiry_seconds, max_sessions=most)
            stores.append(fake)
            return fake
        settings = StoreSettings(session_expiry_seconds=expiry_seconds, max_sessions=most)
        store = RedisStore(server.url, settings)
        store._sweeps = False  # only when a test asks for one
        await store.start()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.aclose()


async def wait_until_gone(store: DeploymentStore, session_id: str) -> None:
    for _ in range(1500):
        if await is_gone(store, session_id):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not expire")


async def is_gone(store: DeploymentStore, session_id: str) -> bool:
    await store.sweep_sessions()
    try:
        return not await store.has_session(session_id)
    except SessionDeleted:
        return True


async def test_an_unused_session_expires_whole_and_counts_as_deleted(
    open_bounded: OpenBounded, session_id: str
) -> None:
    store = await open_bounded(0.2, 0)
    await store.open_session(session_id)
    await store.append_chat(session_id, "ann", 1, b"{}")
    await store.append_canvas(session_id, b"u")
    assert await store.keep_file(session_id, "f", b"image", room_bytes=10_000) == "kept"
    await wait_until_gone(store, session_id)
    assert await store.read_chat(session_id, after=0, limit=9) == []
    assert (await store.load_canvas(session_id)).seq == 0
    assert await store.read_file(session_id, "f") is None
    for late in (store.open_session(session_id), store.append_canvas(session_id, b"u")):
        with pytest.raises(SessionDeleted):
            await late


async def test_a_session_that_a_process_has_open_never_expires(
    open_bounded: OpenBounded, session_id: str
) -> None:
    store, other = await open_bounded(0.2, 0), await open_bounded(0.2, 0)
    unused = secrets.token_hex(8)
    for one in (session_id, unused):
        await store.open_session(one)
    heard: list[Published] = []
    await other.subscribe(session_id, heard.append)
    await wait_until_gone(store, unused)
    assert not await is_gone(store, session_id)
    await other.unsubscribe(session_id)
    await wait_until_gone(store, session_id)


async def test_a_recorded_use_counts(open_bounded: OpenBounded, session_id: str) -> None:
    store = await open_bounded(2.0, 0)
    unused = secrets.token_hex(8)
    for one in (session_id, unused):
        await store.open_session(one)

    async with asyncio.timeout(30):
        while not await is_gone(store, unused):
            await store.record_use(session_id)
            await asyncio.sleep(0.02)
    assert await store.has_session(session_id)


async def test_nothing_expires_without_a_limit(open_bounded: OpenBounded, session_id: str) -> None:
    limited, store = await open_bounded(0.2, 0), await open_bounded(0.0, 0)
    await store.open_session(session_id)
    before = secrets.token_hex(8)
    await limited.open_session(before)
    assert (await store.sweep_sessions()).expired == 0
    await wait_until_gone(limited, before)


async def test_a_new_session_beyond_the_quota_is_refused_and_the_others_work(
    open_bounded: OpenBounded,
) -> None:
    stored = (await (await open_bounded(0.0, 0)).sweep_sessions()).stored
    store = await open_bounded(0.0, stored + 2)
    await store.sweep_sessions()
    one, two, three = (secrets.token_hex(8) for _ in range(3))
    for name in (one, two, one, two):
        await store.open_session(name)
    with pytest.raises(SessionsFull, match=str(stored + 2)):
        await store.open_session(three)
    assert not await store.has_session(three)
    await store.append_chat(one, "ann", 1, b"{}")
    for reserved in store.rehearsal_sessions():
        await store.lend_session(reserved, seconds=10)
        await store.erase_session(reserved)
    assert await store.delete_session(two)
    assert await store.delete_session(two), "a mark is there"
    await store.open_session(three)
    with pytest.raises(SessionsFull):
        await store.open_session(secrets.token_hex(8))
    assert (await store.sweep_sessions()).stored == stored + 2
    for name in (one, three):
        await store.delete_session(name)


async def test_a_lost_session_is_created_again_beyond_the_quota(
    open_bounded: OpenBounded, session_id: str
) -> None:
    """Its log is refilled: it is not new."""
    store = await open_bounded(0.0, 1)
    await store.sweep_sessions()
    for _ in range(2):
        try:
            await store.open_session(secrets.token_hex(8))
        except SessionsFull:
            break
    assert (await store.open_session(session_id, epoch="epoch-before")).epoch == "epoch-before"
