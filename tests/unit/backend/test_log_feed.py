"""The log feed: once each, in order, without holes, whatever was not heard."""

import asyncio
import random

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.log_feed import LogFeed
from isshoni.backend.store.ports import Entry
from tests.support.waiting import wait_until


class Log:
    """A log with a feed on it."""

    def __init__(self, page: int = 100) -> None:
        self.entries: list[Entry] = []
        self.delivered: list[int] = []
        self.lost = 0
        self.reads = 0
        self.failures = 0
        self._page = page
        self.feed = LogFeed(self._read, lambda e: self.delivered.append(e.seq), self._lose)

    def append(self) -> Entry:
        self.entries.append(Entry(len(self.entries) + 1, b"{}"))
        return self.entries[-1]

    async def _read(self, after: int) -> list[Entry]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        return [entry for entry in self.entries if entry.seq > after][: self._page]

    def _lose(self) -> None:
        self.lost += 1


async def test_publications_in_order_are_delivered_without_reading() -> None:
    log = Log()
    log.feed.start(0)
    for _ in range(3):
        log.feed.receive(log.append())
    assert log.delivered == [1, 2, 3]
    assert log.reads == 0


async def test_what_is_heard_before_the_start_is_merged() -> None:
    log = Log()
    log.feed.hold()
    for _ in range(5):
        log.feed.receive(log.append())
    log.feed.start(3)
    assert log.delivered == [4, 5]


@pytest.mark.spec("A4")
async def test_a_hole_is_filled_from_the_log_before_what_follows() -> None:
    log = Log(page=2)
    log.feed.start(0)
    log.feed.receive(log.append())
    for _ in range(5):
        log.append()
    log.feed.receive(log.append())
    log.feed.receive(log.append())
    assert log.delivered == [1]
    await wait_until(lambda: len(log.delivered) == 8, "the hole is filled")
    assert log.delivered == list(range(1, 9))


@pytest.mark.spec("A4")
async def test_filling_goes_on_when_redis_was_away() -> None:
    log = Log()
    log.failures = 2
    log.feed.start(0)
    log.append()
    log.feed.receive(log.append())
    await wait_until(lambda: log.delivered == [1, 2], "the hole is filled")


async def test_a_log_that_lacks_the_hole_is_lost() -> None:
    log = Log()
    log.feed.start(0)
    log.append()
    log.append()
    del log.entries[0]
    log.feed.receive(Entry(2, b"{}"))
    await wait_until(lambda: log.lost == 1, "the loss is told")
    assert log.delivered == []


@pytest.mark.spec("A4")
@pytest.mark.parametrize("seed", range(20))
async def test_any_loss_and_order_of_publications_gives_the_log(seed: int) -> None:
    dice = random.Random(seed)
    log = Log(page=3)
    log.feed.start(0)
    late: list[Entry] = []
    for _ in range(200):
        entry = log.append()
        if dice.random() < 0.7:
            late.append(entry)
        if dice.random() < 0.5:
            dice.shuffle(late)
            for heard in late:
                log.feed.receive(heard)
            late.clear()
        if dice.random() < 0.2:
            await asyncio.sleep(0)
    await log.feed.catch_up()
    assert log.delivered == list(range(1, 201)), f"seed {seed}"
    assert log.lost == 0


async def test_an_entry_that_cannot_be_delivered_does_not_end_the_feed() -> None:
    log = Log()
    delivered: list[int] = []

    def deliver(entry: Entry) -> None:
        if entry.seq == 2:
            raise UnicodeError("poison")
        delivered.append(entry.seq)

    feed = LogFeed(log._read, deliver, log._lose)
    feed.start(0)
    for _ in range(4):
        log.append()
    feed.receive(log.entries[0])
    feed.receive(log.entries[3])
    await feed.catch_up()
    feed.receive(log.append())
    assert delivered == [1, 3, 4, 5]
