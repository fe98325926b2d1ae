"""Links and subscriptions that tests open, impatient ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link import (
    LinkSettings,
    RedisLink,
    RedisMeter,
    RedisNodes,
    RedisSubscription,
    parse_redis_url,
)

QUICK = LinkSettings(
    connect_timeout_seconds=1.0, command_timeout_seconds=0.4, heartbeat_seconds=0.1
)


@asynccontextmanager
async def open_link(
    url: str, settings: LinkSettings = QUICK, meter: RedisMeter | None = None
) -> AsyncIterator[RedisLink]:
    link = RedisLink(parse_redis_url(url).primary, settings, meter or RedisMeter())
    await link.start()
    try:
        yield link
    finally:
        await link.aclose()


@asynccontextmanager
async def open_nodes(url: str) -> AsyncIterator[RedisNodes]:
    nodes = RedisNodes(parse_redis_url(url), QUICK, RedisMeter(), lambda: None)
    await nodes.start()
    try:
        yield nodes
    finally:
        await nodes.aclose()


@asynccontextmanager
async def open_subscription(
    url: str, on_whole: Callable[[], None] = lambda: None, settings: LinkSettings = QUICK
) -> AsyncIterator[RedisSubscription]:
    subscription = RedisSubscription(
        parse_redis_url(url).primary, settings, RedisMeter(), on_whole, lambda channel: None
    )
    await subscription.start()
    try:
        yield subscription
    finally:
        await subscription.aclose()


async def fail_of(work: "asyncio.Future[object]") -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        await work
    return caught.value
