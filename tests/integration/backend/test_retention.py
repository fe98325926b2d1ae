"""What a log keeps, whom it remembers, and what those find who come back too late."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from isshoni.backend.live.chat_appends import MAX_TOGETHER
from isshoni.backend.store.ports import Appended, ClientStanding, Duplicate, NewMessage
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

AT_ONCE = 2e-3
"""An offline window, in seconds, that is over as soon as one looks."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey") / "data", fsync="no") as server:
        yield server


@asynccontextmanager
async def open_store(url: str, window: float, keep: int, ceiling: int) -> AsyncIterator[RedisStore]:
    store = RedisStore(
        url,
        StoreSettings(offline_window_seconds=window, chat_retention=keep, chat_ceiling=ceiling),
    )
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


async def say(store: RedisStore, session_id: str, client_id: str, *numbers: int) -> None:
    for n in numbers:
        result = await store.append_chat(session_id, client_id, n, b"{}")
        assert isinstance(result, Appended)


async def read_seqs(store: RedisStore, session_id: str) -> list[int]:
    return [entry.seq for entry in await store.read_chat(session_id, after=0, limit=100_000)]


async def say_together(store: RedisStore, session_id: str, client_id: str, first: int) -> None:
    """Append as many messages in one call as a session does at most."""
    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    numbers = range(first, first + MAX_TOGETHER)
    messages = [NewMessage(client_id, n, b"{}", n - 1) for n in numbers]
    assert store.start_append(session_id, messages, answered.set_result)
    assert await answered == [Appended(n) for n in numbers]


@pytest.mark.spec("A4")
async def test_nothing_younger_than_the_window_is_trimmed(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=3600, keep=50, ceiling=10_000) as store:
        await say(store, session_id, "c", *range(1, 1001))
        assert await read_seqs(store, session_id) == list(range(1, 1001))


async def test_what_is_older_than_the_window_is_trimmed_down_to_the_retention(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=AT_ONCE, keep=50, ceiling=10_000) as store:
        await say(store, session_id, "c", *range(1, 1001))
        kept = await read_seqs(store, session_id)
        assert kept == list(range(kept[0], 1001))
        assert 50 <= len(kept) < 150


async def test_the_ceiling_holds_whatever_the_age(valkey: ValkeyServer, session_id: str) -> None:
    async with open_store(valkey.url, window=3600, keep=50, ceiling=200) as store:
        await say(store, session_id, "c", *range(1, 1001))
        kept = await read_seqs(store, session_id)
        assert kept == list(range(kept[0], 1001))
        assert 180 < len(kept) <= 200 + 16


async def test_a_log_that_grows_by_large_calls_is_trimmed_as_far(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=3600, keep=50, ceiling=200) as store:
        last = 20 * MAX_TOGETHER
        for first in range(1, last, MAX_TOGETHER):
            await say_together(store, session_id, "c", first)
        assert await read_seqs(store, session_id) == list(range(last - 199, last + 1))
        assert await store.read_standing(session_id, "c") == ClientStanding(last, last)


@pytest.mark.spec("A4")
async def test_a_clock_that_goes_back_trims_nothing_early_and_does_not_stop_the_trimming(
    valkey: ValkeyServer, session_id: str
) -> None:
    marks = f"chat:{{{session_id}}}:marks"
    async with open_store(valkey.url, window=3600, keep=1, ceiling=10_000) as store:
        await say(store, session_id, "c", *range(1, 101))
        # As after a failover to a server whose clock is behind that of the last one.
        valkey.command("ZADD", marks, "99999999999999", "96")
        await say(store, session_id, "c", *range(101, 201))
        assert len(await read_seqs(store, session_id)) == 200
    async with open_store(valkey.url, window=AT_ONCE, keep=1, ceiling=10_000) as store:
        await say(store, session_id, "c", *range(201, 601))
        assert len(await read_seqs(store, session_id)) < 150
        assert valkey.command("ZCARD", marks) < b":9"


async def test_the_marks_of_time_are_few(valkey: ValkeyServer, session_id: str) -> None:
    async with open_store(valkey.url, window=0.3, keep=1, ceiling=100_000) as store:
        marks = f"chat:{{{session_id}}}:marks"
        numbers = itertools.count(1)
        most = 0
        until = monotonic() + 1.0
        while monotonic() < until:
            await say(store, session_id, "c", next(numbers))
            most = max(most, int(valkey.command("ZCARD", marks)[1:-2]))
        assert 1 < most <= 64 + 3
        assert len(await read_seqs(store, session_id)) < next(numbers) - 2


async def test_clients_of_whom_nothing_is_left_are_forgotten_a_few_at_a_time(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=AT_ONCE, keep=20, ceiling=10_000) as store:
        for i in range(300):
            await say(store, session_id, f"c{i}", 1)
        known = [i for i in range(300) if (await store.read_standing(session_id, f"c{i}")).last_n]
        assert known == list(range(known[0], 300))
        assert len(known) < 150
        await say(store, session_id, "talker", *range(1, 201))
        left = [i for i in range(300) if (await store.read_standing(session_id, f"c{i}")).last_n]
        assert left == []
        assert (await store.read_standing(session_id, "talker")).last_n == 200


async def test_a_client_of_whom_a_message_is_left_is_never_forgotten(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=AT_ONCE, keep=500, ceiling=10_000) as store:
        await say(store, session_id, "quiet", 1, 2)
        await say(store, session_id, "talker", *range(1, 400))
        assert await store.append_chat(session_id, "quiet", 2, b"{}") == Duplicate(2)


async def test_a_client_within_the_window_is_known_though_the_ceiling_took_all_of_it(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=3600, keep=10, ceiling=50) as store:
        await say(store, session_id, "quiet", 1, 2)
        await say(store, session_id, "talker", *range(1, 400))
        assert (await read_seqs(store, session_id))[0] > 2
        assert await store.append_chat(session_id, "quiet", 2, b"{}") == Duplicate(2)


async def test_a_client_that_returns_after_it_was_forgotten_goes_on_at_its_own_n(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=AT_ONCE, keep=20, ceiling=10_000) as store:
        await say(store, session_id, "away", 1, 2)
        await say(store, session_id, "talker", *range(1, 400))
        assert (await store.read_standing(session_id, "away")).last_n == 0
        await say(store, session_id, "away", 3, 4)
        assert await store.append_chat(session_id, "away", 3, b"{}") == Duplicate(4)


@pytest.mark.spec("A4")
async def test_the_log_never_holds_a_message_twice_whoever_returns_when(
    valkey: ValkeyServer, session_id: str
) -> None:
    async with open_store(valkey.url, window=AT_ONCE, keep=30, ceiling=10_000) as store:
        highest = dict.fromkeys(range(7), 0)
        for step in range(3000):
            client = step * step % 7
            resend = step % 3 == 0 and highest[client] > 0
            n = highest[client] if resend else highest[client] + 1
            payload = b"%d:%d" % (client, n)
            await store.append_chat(session_id, f"c{client}", n, payload)
            highest[client] = n
            if step % 100 == 0:
                entries = await store.read_chat(session_id, after=0, limit=10_000)
                payloads = [entry.payload for entry in entries]
                assert len(payloads) == len(set(payloads))
                await asyncio.sleep(2 * AT_ONCE)


@pytest.mark.spec("A4")
async def test_a_position_before_the_log_s_beginning_gets_the_full_state(
    valkey: ValkeyServer, tmp_path: Path, session_id: str
) -> None:
    with BackendProcess(valkey.url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        ann = await backend.join(session_id, client_id="ann")
        for n in range(1, 301):
            await ann.chat(n)
            await ann.read("ack")
        valkey.command("XTRIM", f"chat:{{{session_id}}}:log", "MINID", "51-0")
        bob = await backend.connect(session_id)
        epoch = (await bob.restore())["position"]["epoch"]
        modes = {}
        for seq in (0, 49, 50, 51, 299):
            restored = await bob.restore(position={"epoch": epoch, "seq": seq})
            modes[seq] = restored["mode"]
            first = restored["chat_history"][0]["seq"]
            assert first == (seq + 1 if restored["mode"] == "replay" else 101)
        assert modes == {0: "full", 49: "full", 50: "replay", 51: "replay", 299: "replay"}


async def test_history_is_paged_back_to_the_log_s_beginning(
    valkey: ValkeyServer, tmp_path: Path, session_id: str
) -> None:
    with BackendProcess(valkey.url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        bob = await backend.connect(session_id)
        await bob.send(type="history", before=1)
        assert (await bob.read("error"))["code"] == "not_restored"
        await bob.restore(client_id="bob")
        for n in range(1, 26):
            await bob.chat(n)
            await bob.read("ack")
        seqs: list[int] = []
        before, more = 26, True
        while more:
            await bob.send(type="history", before=before, limit=10)
            page = await bob.read("history")
            seqs = [event["seq"] for event in page["chat_history"]] + seqs
            before, more = seqs[0], page["more"]
        assert seqs == list(range(1, 26))
        for fields in ({}, {"before": 0}, {"before": 9, "limit": 201}, {"before": "9"}):
            await bob.send(type="history", **fields)
            assert (await bob.read("error"))["code"] == "bad_message"
