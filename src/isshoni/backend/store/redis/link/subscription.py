"""Sharded pub/sub over one connection."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.address import Locator
from isshoni.backend.store.redis.link.connection import RedisConnection
from isshoni.backend.store.redis.link.errors import ErrorReply
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.reconnecting import Reconnecting
from isshoni.backend.store.redis.link.settings import LinkSettings

logger = logging.getLogger(__name__)

_BATCH = 1000

OnPublication = Callable[[bytes], None]


class RedisSubscription(Reconnecting):
    """Subscribes to channels; publications during a disconnection are missed.

    After a reconnect it first subscribes to everything again and then calls `on_whole`.
    A channel that this server no longer serves is dropped, and `on_lost` is called with it.
    """

    purpose = "pub/sub"

    def __init__(
        self,
        where: Locator,
        settings: LinkSettings,
        meter: RedisMeter,
        on_whole: Callable[[], None],
        on_lost: Callable[[bytes], None],
    ) -> None:
        super().__init__(where, settings, meter)
        self._on_whole = on_whole
        self._on_lost = on_lost
        self._wanted: dict[bytes, OnPublication] = {}
        self._leaving: Counter[bytes] = Counter()
        self._push_handler = self
        self._lost_some = False

    async def subscribe(self, channel: bytes, callback: OnPublication) -> None:
        """Subscribe to a channel: once this returns, no later publication is missed.

        Raises `StoreUnavailable`, and then the channel is not subscribed.
        """
        connection = self._require_connection()
        self._wanted[channel] = callback
        try:
            await connection.execute(b"SSUBSCRIBE", channel)
        except BaseException:
            if self._wanted.get(channel) is callback:
                del self._wanted[channel]
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Unsubscribe from a channel; never fails: a lost connection has no subscriptions."""
        self._wanted.pop(channel, None)
        if self._connection is None:
            return
        self._leaving[channel] += 1
        try:
            await self._connection.execute(b"SUNSUBSCRIBE", channel)
        except StoreUnavailable as fault:
            logger.debug("unsubscribing was cut short: %s", fault)
        finally:
            self._leaving[channel] -= 1
            if not self._leaving[channel]:
                del self._leaving[channel]

    async def _prepare(self, connection: RedisConnection) -> None:
        self._lost_some = bool(self._wanted)
        channels = list(self._wanted)
        for begin in range(0, len(channels), _BATCH):
            batch = channels[begin : begin + _BATCH]
            # A channel that was unsubscribed during an earlier batch stays unsubscribed.
            wanted = [channel for channel in batch if channel in self._wanted]
            await asyncio.gather(
                *(self._resubscribe(connection, name) for name in wanted), return_exceptions=False
            )

    async def _resubscribe(self, connection: RedisConnection, channel: bytes) -> None:
        try:
            await connection.execute(b"SSUBSCRIBE", channel)
        except ErrorReply as refusal:
            if refusal.code != "MOVED":
                raise
            self.handle_lost(channel)

    def _announce(self) -> None:
        if self._lost_some:
            self._on_whole()

    def handle_lost(self, channel: bytes) -> bool:
        """Drop a channel that this server no longer serves; False if it was unsubscribed."""
        if channel in self._leaving:
            return False
        if self._wanted.pop(channel, None) is not None:
            self._on_lost(channel)
        return True

    def handle_publication(self, channel: bytes, message: bytes) -> None:
        """Pass a publication on to the subscriber of its channel."""
        callback = self._wanted.get(channel)
        if callback is None:
            return
        try:
            callback(message)
        except Exception:
            # One bad message, or listener, must not end the subscriptions of all other sessions.
            self._meter.poison += 1
            logger.exception("a listener failed on a publication of %s", channel.decode())
