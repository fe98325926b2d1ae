"""Sharded pub/sub over one connection."""

import asyncio
import logging
from collections.abc import Callable

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.redis_link.address import RedisAddress
from isshoni.backend.redis_link.connection import RedisConnection
from isshoni.backend.redis_link.meter import RedisMeter
from isshoni.backend.redis_link.reconnecting import Reconnecting
from isshoni.backend.redis_link.settings import LinkSettings

logger = logging.getLogger(__name__)

_BATCH = 1000

OnPublication = Callable[[bytes], None]


class RedisSubscription(Reconnecting):
    """Hears channels; what is published while it is disconnected, it never hears.

    After a reconnect it first subscribes to everything again and then calls `on_whole`.
    """

    def __init__(
        self,
        address: RedisAddress,
        settings: LinkSettings,
        meter: RedisMeter,
        on_whole: Callable[[], None],
    ) -> None:
        super().__init__(address, settings, meter)
        self._on_whole = on_whole
        self._wanted: dict[bytes, OnPublication] = {}
        self._on_message = self._dispatch
        self._lost_some = False

    async def subscribe(self, channel: bytes, callback: OnPublication) -> None:
        """Hear a channel: once this returns, nothing published later is missed.

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
        """Hear no more of a channel; never fails: a lost connection hears nothing either."""
        self._wanted.pop(channel, None)
        if self._connection is None:
            return
        try:
            await self._connection.execute(b"SUNSUBSCRIBE", channel)
        except StoreUnavailable as fault:
            logger.debug("unsubscribing was cut short: %s", fault)

    async def _prepare(self, connection: RedisConnection) -> None:
        self._lost_some = bool(self._wanted)
        channels = list(self._wanted)
        for begin in range(0, len(channels), _BATCH):
            batch = channels[begin : begin + _BATCH]
            # What was unsubscribed while an earlier batch was under way stays so.
            wanted = [channel for channel in batch if channel in self._wanted]
            await asyncio.gather(*(connection.execute(b"SSUBSCRIBE", name) for name in wanted))

    def _announce(self) -> None:
        if self._lost_some:
            self._on_whole()

    def _dispatch(self, channel: bytes, message: bytes) -> None:
        callback = self._wanted.get(channel)
        if callback is None:
            return
        try:
            callback(message)
        except Exception:
            # One bad message, or listener, must not deafen all the other sessions.
            self._meter.poison += 1
            logger.exception("a listener failed on a publication of %s", channel.decode())
