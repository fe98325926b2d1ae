"""How long a publication takes to come back to us."""

import asyncio
import contextlib
import secrets
from time import monotonic

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.redis_link import RedisLink, RedisSubscription
from isshoni.backend.redis_link.meter import SlidingWorst


class LagBeacon:
    """Publishes to itself at an interval: the lag is known even when nobody speaks."""

    def __init__(
        self, link: RedisLink, subscription: RedisSubscription, interval_seconds: float
    ) -> None:
        self._link = link
        self._subscription = subscription
        self._interval_seconds = interval_seconds
        self._channel = b"lag:{%b}" % secrets.token_hex(8).encode()
        self._heard = SlidingWorst()
        self._unheard_since: float | None = None

    @property
    def worst_seconds(self) -> float:
        """The worst lag of the last seconds; it grows for as long as nothing is heard."""
        if self._unheard_since is None:
            return self._heard.worst
        return max(self._heard.worst, monotonic() - self._unheard_since)

    async def run(self) -> None:
        """Publish until cancelled."""
        subscribed = False
        while True:
            with contextlib.suppress(StoreUnavailable):  # the links have counted it
                if not subscribed:
                    await self._subscription.subscribe(self._channel, self._hear)
                    subscribed = True
                await self._publish()
            await asyncio.sleep(self._interval_seconds)

    async def _publish(self) -> None:
        now = monotonic()
        if self._unheard_since is None:
            self._unheard_since = now
        await self._link.execute(b"SPUBLISH", self._channel, repr(now))

    def _hear(self, message: bytes) -> None:
        self._unheard_since = None
        self._heard.note(monotonic() - float(message))
