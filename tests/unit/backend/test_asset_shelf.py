"""The shelf where every version's page finds its assets."""

import asyncio
from pathlib import Path

import pytest

from isshoni.backend.http.asset_shelf import AssetShelf
from isshoni.backend.http.pages import Pages
from isshoni.backend.store.redis.link import NotWriter
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until

NAME = "assets/app-1.js"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "assets").mkdir()
    (tmp_path / NAME).write_text("hello()")
    return Pages(tmp_path)


@pytest.fixture
def store() -> FakeSessionStore:
    return FakeSessionStore()


@pytest.fixture
async def shelf(store: FakeSessionStore) -> AssetShelf:
    return AssetShelf(store, "secret")


async def test_an_asset_of_one_version_is_found_by_another(shelf: AssetShelf, pages: Pages) -> None:
    filling = asyncio.create_task(shelf.fill(pages))
    await wait_until(shelf.filled.is_set, "it is filled")
    filling.cancel()
    found = await shelf.find(NAME)
    assert found is not None
    assert found.content == b"hello()"


async def test_who_takes_over_from_a_dead_process_first_serves_people(
    store: FakeSessionStore, shelf: AssetShelf, pages: Pages
) -> None:
    shelf.trust_predecessor()
    filling = asyncio.create_task(shelf.fill(pages))
    await asyncio.sleep(0.05)
    assert shelf.filled.is_set()
    assert await shelf.find(NAME) is None, "it takes the word of the dead for some seconds"
    store.fail()
    store.recover()
    await wait_until(lambda: bool(store.server.notes), "what a Redis may have lost is put back")
    filling.cancel()


async def test_a_full_redis_that_has_the_assets_already_is_as_good_as_filled(
    store: FakeSessionStore, shelf: AssetShelf, pages: Pages
) -> None:
    filling = asyncio.create_task(shelf.fill(pages))
    await wait_until(shelf.filled.is_set, "it is filled")
    filling.cancel()
    store.server.full = True
    restarted = AssetShelf(FakeSessionStore(store.server), "secret")
    filling = asyncio.create_task(restarted.fill(pages))
    await wait_until(restarted.filled.is_set, "what is there is found")
    filling.cancel()


async def test_a_full_redis_without_the_assets_is_not_taken_for_filled(
    store: FakeSessionStore, shelf: AssetShelf, pages: Pages
) -> None:
    store.server.full = True
    filling = asyncio.create_task(shelf.fill(pages))
    assert not await shelf._is_filled(pages)
    store.server.full = False
    await wait_until(shelf.filled.is_set, "it is filled once there is room")
    filling.cancel()


async def test_a_region_that_may_not_write_stores_the_assets_once_it_may(
    store: FakeSessionStore, shelf: AssetShelf, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    lend = store.lend_note

    async def refuse(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        raise NotWriter("region west is a standby")

    monkeypatch.setattr(store, "lend_note", refuse)
    filling = asyncio.create_task(shelf.fill(pages))
    await wait_until(lambda: tries == 1, "it tried once")
    monkeypatch.setattr(store, "lend_note", lend)
    shelf.doubt()
    await wait_until(shelf.filled.is_set, "it is filled")
    filling.cancel()
