"""One Redis server as this process talks to it."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from isshoni.backend.store.redis.link.address import Locator
from isshoni.backend.store.redis.link.link import RedisLink
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.reconnecting import Reconnecting
from isshoni.backend.store.redis.link.settings import LinkSettings
from isshoni.backend.store.redis.link.subscription import RedisSubscription
from isshoni.backend.tasks import run_all, start_once


class RedisNode:
    """A server with two connections: one for commands, one for pub/sub.

    If writes wait for replicas, `direct` is a third one, for reading: on one connection a
    read would queue behind the WAIT of a write.
    `on_whole` is called when lost subscriptions are restored and commands work again.
    """

    def __init__(
        self,
        where: Locator,
        settings: LinkSettings,
        meter: RedisMeter,
        on_whole: Callable[[], None],
        on_lost: Callable[[bytes], None],
    ) -> None:
        self._on_whole = on_whole
        self._reporting: asyncio.Task[None] | None = None
        self.link = self.direct = RedisLink(where, settings, meter)
        if settings.durability is not None:
            self.direct = RedisLink(where, settings, meter)
            # A demoted primary refuses only writes, so `direct` would never notice it by itself.
            self.link.on_end = partial(self.direct.drop, "the connection for writes was lost")
        self.subscription = RedisSubscription(where, settings, meter, self._report_whole, on_lost)

    @property
    def connected(self) -> bool:
        """True while every connection is there."""
        return all(connection.connected for connection in self._connections())

    async def start(self) -> None:
        """Begin to connect; returns when the first attempts have succeeded or failed."""
        await asyncio.gather(
            *(connection.start() for connection in self._connections()), return_exceptions=False
        )

    async def aclose(self) -> None:
        """Close all connections; commands without an answer fail."""
        if self._reporting is not None:
            self._reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reporting
        await run_all("close a Redis connection", [one.aclose() for one in self._connections()])

    def _connections(self) -> tuple[Reconnecting, ...]:
        if self.direct is self.link:
            return self.link, self.subscription
        return self.link, self.direct, self.subscription

    def _report_whole(self) -> None:
        if self._reporting is None or self._reporting.done():
            self._reporting = start_once("report a restored link", self._report_once_link_is_up())

    async def _report_once_link_is_up(self) -> None:
        await self.link.wait_until_connected()
        await self.direct.wait_until_connected()
        self._on_whole()
