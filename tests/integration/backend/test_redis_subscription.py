"""Subscriptions of Redis, which are whole again before anybody is told."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link import (
    LinkSettings,
)
from tests.support.redis_links import open_link, open_subscription
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "data") as server:
        yield server


async def test_subscribers_are_whole_again_before_they_are_told(valkey: ValkeyServer) -> None:
    heard: list[bytes] = []
    wholes: list[int] = []
    async with open_link(valkey.url) as link:

        def count_subscriptions() -> None:
            wholes.append(valkey.command("PUBSUB", "SHARDCHANNELS").count(b"ch"))

        async with open_subscription(valkey.url, count_subscriptions) as subscription:
            for i in range(50):
                await subscription.subscribe(b"ch%d" % i, heard.append)
            assert wholes == []
            valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
            await wait_until(lambda: wholes, "everybody is told")
            assert wholes == [50]
            for i in range(50):
                await link.execute(b"SPUBLISH", b"ch%d" % i, i)
            await wait_until(lambda: len(heard) == 50, "all channels are heard")


async def test_more_channels_than_a_batch_are_all_subscribed_again(valkey: ValkeyServer) -> None:
    told: list[bool] = []
    few = LinkSettings(max_pending=1500)
    async with open_subscription(valkey.url, lambda: told.append(True), few) as subscription:
        for begin in range(0, 3000, 1000):
            names = [b"ch%d" % i for i in range(begin, begin + 1000)]
            await asyncio.gather(*(subscription.subscribe(name, print) for name in names))
        valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
        await wait_until(lambda: told, "everybody is told")
        numbers = valkey.command("INFO", "stats")
        assert b"pubsubshard_channels:3000" in numbers


async def test_publishing_while_subscribing_again_loses_nothing_after_the_call(
    valkey: ValkeyServer,
) -> None:
    heard: list[int] = []
    last_before_told: list[int] = []
    sent = 0
    async with open_link(valkey.url) as link:
        async with open_subscription(
            valkey.url, lambda: last_before_told.append(sent)
        ) as subscription:
            await subscription.subscribe(b"ch", lambda message: heard.append(int(message)))
            for cut in range(3):
                valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
                while len(last_before_told) == cut:
                    sent += 1
                    await link.execute(b"SPUBLISH", b"ch", sent)
            await link.execute(b"SPUBLISH", b"ch", sent + 1)
            await wait_until(lambda: heard[-1] == sent + 1, "the last one")
    # `sent` may be on its way while the callback runs: it was begun before.
    must_be_heard = set(range(last_before_told[-1] + 1, sent + 2))
    assert must_be_heard <= set(heard)
    assert heard == sorted(set(heard))


async def test_an_idle_subscription_notices_a_frozen_redis(valkey: ValkeyServer) -> None:
    told: list[bool] = []
    async with open_subscription(valkey.url, lambda: told.append(True)) as subscription:
        await subscription.subscribe(b"ch", print)
        valkey.freeze()
        await wait_until(lambda: not subscription.connected, "the loss is noticed")
        valkey.thaw()
        await wait_until(lambda: told, "everybody is told")


async def test_subscribing_to_a_lost_redis_fails_and_leaves_nothing(
    valkey: ValkeyServer,
) -> None:
    async with open_subscription(valkey.url) as subscription:
        valkey.freeze()
        with pytest.raises(StoreUnavailable):
            await subscription.subscribe(b"ch", print)
        await subscription.unsubscribe(b"never")
        valkey.thaw()
        await wait_until(lambda: subscription.connected, "the link is back")
        assert valkey.command("PUBSUB", "SHARDCHANNELS") == b"*0\r\n"
