"""Keep the topology of a cluster up to date: which server owns which slots."""

import asyncio
import contextlib
import random

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.nodes import RedisNodes
from isshoni.backend.store.redis.link.opening import open_connection
from isshoni.backend.store.redis.link.slots import SlotRange, parse_slot_ranges

_ASK_SECONDS = 0.2
"""Seconds between two questions to a cluster that is changing or broken."""
_CHECK_SECONDS = 15.0
"""Seconds between two questions to a healthy cluster."""


class ClusterWatch:
    """Updates the known topology of a cluster, and then its subscriptions."""

    def __init__(self, nodes: RedisNodes) -> None:
        self._nodes = nodes

    async def run(self) -> None:
        """Update until cancelled."""
        loop = asyncio.get_running_loop()
        check_at = loop.time()
        while True:
            if not self._is_healthy() or loop.time() >= check_at:
                check_at = loop.time() + _CHECK_SECONDS
                self._nodes.stale.clear()
                with contextlib.suppress(StoreUnavailable):  # the links have counted it
                    await self.refresh()
            await asyncio.sleep(_ASK_SECONDS)

    def _is_healthy(self) -> bool:
        nodes = self._nodes
        return nodes.connected and nodes.channels.settled and not nodes.stale.is_set()

    async def refresh(self) -> None:
        """Ask for the topology and adopt it; raises `StoreUnavailable`."""
        await self._nodes.adopt(await self._ask_anyone())

    async def _ask_anyone(self) -> list[SlotRange]:
        fault = StoreUnavailable("no node of the cluster can be reached")
        for node in random.sample(self._nodes.nodes, len(self._nodes.nodes)):
            try:
                host = self._nodes.deployment.primary.host
                return parse_slot_ranges(await node.direct.execute(b"CLUSTER", b"SLOTS"), host)
            except StoreUnavailable as one:
                fault = one
        for seed in self._nodes.deployment.seeds:
            try:
                connection = await open_connection(seed, self._nodes.settings, RedisMeter())
            except StoreUnavailable as one:
                fault = one
                continue
            try:
                reply = await connection.execute(b"CLUSTER", b"SLOTS")
                return parse_slot_ranges(reply, seed.host)
            except StoreUnavailable as one:
                fault = one
            finally:
                await connection.drop("it has answered")
        raise fault
