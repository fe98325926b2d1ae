"""Measure how long a publication takes to come back to this process."""

import asyncio
import contextlib
import secrets
from time import monotonic

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link import RedisNodes
from isshoni.backend.store.redis.link.meter import SlidingWorst
from isshoni.backend.store.redis.link.slots import slot_of_tag


class LagBeacon:
    """Publishes to itself at an interval: so the lag is known without other traffic.

    In a cluster it is the lag of one node, which each process picks at random.
    """

    def __init__(self, nodes: RedisNodes, interval_seconds: float) -> None:
        self._nodes = nodes
        self._interval_seconds = interval_seconds
        tag = secrets.token_hex(8).encode()
        self._channel = b"lag:{%b}" % tag
        self._slot = slot_of_tag(tag)
        self._lags = SlidingWorst()
        self._unanswered_since: float | None = None

    @property
    def worst_seconds(self) -> float:
        """The worst lag of the last seconds; it grows while nothing is received."""
        if self._unanswered_since is None:
            return self._lags.worst
        return max(self._lags.worst, monotonic() - self._unanswered_since)

    async def run(self) -> None:
        """Publish until cancelled."""
        subscribed = False
        while True:
            with contextlib.suppress(StoreUnavailable):  # the links have counted it
                if not subscribed:
                    await self._nodes.channels.subscribe(self._slot, self._channel, self._receive)
                    subscribed = True
                await self._publish()
            await asyncio.sleep(self._interval_seconds)

    async def _publish(self) -> None:
        now = monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = now
        await self._nodes.execute(self._slot, b"SPUBLISH", self._channel, repr(now))

    def _receive(self, message: bytes) -> None:
        self._unanswered_since = None
        self._lags.add(monotonic() - float(message))
