"""Measure how long a publication takes to come back to this process."""

import asyncio
import contextlib
import secrets
from time import monotonic

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link import RedisNodes
from isshoni.backend.store.redis.link.meter import SlidingWorst
from isshoni.backend.store.redis.link.slots import slot_of_tag

_MAX_SENT = 64
"""Publications that are remembered until they are received: more means that they were lost."""


class LagBeacon:
    """Publishes to itself at an interval: so the lag is known without other traffic.

    In a cluster it is the lag of one node, which each process picks at random.
    """

    def __init__(self, nodes: RedisNodes, interval_seconds: float) -> None:
        self._nodes = nodes
        self._interval_seconds = interval_seconds
        tag = secrets.token_hex(16).encode()
        self._channel = b"lag:{%b}" % tag
        self._slot = slot_of_tag(tag)
        self._lags = SlidingWorst()
        self._unanswered_since: float | None = None
        self._sent: dict[bytes, float] = {}

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
        token = secrets.token_hex(8).encode()
        self._sent[token] = now
        if len(self._sent) > _MAX_SENT:
            del self._sent[next(iter(self._sent))]
        await self._nodes.execute(self._slot, b"SPUBLISH", self._channel, token)

    def _receive(self, message: bytes) -> None:
        sent_at = self._sent.pop(message, None)
        if sent_at is not None:  # anything else on that Redis may publish here
            self._unanswered_since = None
            self._lags.add(monotonic() - sent_at)
