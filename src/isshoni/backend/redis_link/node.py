"""One Redis server as this process talks to it."""

import asyncio
import contextlib
from collections.abc import Callable

from isshoni.backend.redis_link.address import Locator
from isshoni.backend.redis_link.link import RedisLink
from isshoni.backend.redis_link.meter import RedisMeter
from isshoni.backend.redis_link.settings import LinkSettings
from isshoni.backend.redis_link.subscription import RedisSubscription


class RedisNode:
    """A server with two connections: one for commands, one for pub/sub.

    `on_whole` is called when lost subscriptions are there again and commands go through.
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
        self._telling: asyncio.Task[None] | None = None
        self.link = RedisLink(where, settings, meter)
        self.subscription = RedisSubscription(where, settings, meter, self._tell, on_lost)

    @property
    def connected(self) -> bool:
        """Whether both connections are there."""
        return self.link.connected and self.subscription.connected

    async def start(self) -> None:
        """Begin to connect; returns when the first attempts have succeeded or failed."""
        await asyncio.gather(self.link.start(), self.subscription.start())

    async def aclose(self) -> None:
        """Close both; commands without an answer fail."""
        if self._telling is not None:
            self._telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._telling
        await asyncio.gather(self.link.aclose(), self.subscription.aclose())

    def _tell(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._tell_once_link_is_up())

    async def _tell_once_link_is_up(self) -> None:
        await self.link.wait_until_connected()
        self._on_whole()
