"""The channels that a process is subscribed to, each on the server that owns its slot."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.errors import ErrorReply
from isshoni.backend.store.redis.link.node import RedisNode
from isshoni.backend.store.redis.link.subscription import OnPublication

_BATCH = 500
_MAX_REDIRECTS = 5


class Topology(Protocol):
    """Which server owns which slot, as far as is known."""

    stale: asyncio.Event

    def owner(self, slot: int) -> RedisNode:
        """Return the server that owns a slot."""

    async def find_target(self, refusal: ErrorReply) -> RedisNode:
        """Find the server that a MOVED names."""


@dataclass(eq=False)
class _Subscription:
    slot: int
    callback: OnPublication
    node: RedisNode | None
    """Where the channel is subscribed; None after that server has dropped it."""


class Channels:
    """Subscriptions that follow their slots; `on_whole` is called when some have moved."""

    def __init__(self, topology: Topology, on_whole: Callable[[], None]) -> None:
        self._topology = topology
        self._on_whole = on_whole
        self._subscriptions: dict[bytes, _Subscription] = {}

    async def subscribe(self, slot: int, channel: bytes, callback: OnPublication) -> None:
        """Subscribe to a channel: once this returns, no later publication is missed.

        Raises `StoreUnavailable`, and then the channel is not subscribed.
        """
        node = self._topology.owner(slot)
        subscription = self._subscriptions[channel] = _Subscription(slot, callback, node)
        try:
            for _ in range(_MAX_REDIRECTS):
                try:
                    await node.subscription.subscribe(channel, callback)
                    return
                except ErrorReply as refusal:
                    if refusal.code != "MOVED":
                        raise
                    node = subscription.node = await self._topology.find_target(refusal)
            raise StoreUnavailable(
                "the slot of the channel is moving between servers, and none accepts a subscription"
            )
        except BaseException:
            if self._subscriptions.get(channel) is subscription:
                del self._subscriptions[channel]
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Unsubscribe from a channel; never fails: a lost connection has no subscriptions."""
        subscription = self._subscriptions.pop(channel, None)
        if subscription is not None and subscription.node is not None:
            await subscription.node.subscription.unsubscribe(channel)

    def handle_lost(self, channel: bytes) -> None:
        """Record that a server dropped a channel, because its slot has moved to another one."""
        if subscription := self._subscriptions.get(channel):
            subscription.node = None
            self._topology.stale.set()

    @property
    def settled(self) -> bool:
        """True if every channel is subscribed on the server that owns its hash slot."""
        owner = self._topology.owner
        return all(
            subscription.node is owner(subscription.slot)
            for subscription in self._subscriptions.values()
        )

    async def move(self) -> None:
        """Subscribe each channel on its slot's owner now; a failure changes nothing."""
        owner = self._topology.owner
        astray = [
            (channel, subscription)
            for channel, subscription in self._subscriptions.items()
            if subscription.node is not owner(subscription.slot)
        ]
        moved: list[bool] = []
        for begin in range(0, len(astray), _BATCH):
            batch = astray[begin : begin + _BATCH]
            moved += await asyncio.gather(
                *(self._move(*one) for one in batch), return_exceptions=False
            )
        if any(moved):
            self._on_whole()

    async def _move(self, channel: bytes, subscription: _Subscription) -> bool:
        owner = self._topology.owner(subscription.slot)
        try:
            await owner.subscription.subscribe(channel, subscription.callback)
        except StoreUnavailable:
            return False
        if self._subscriptions.get(channel) is not subscription:
            await owner.subscription.unsubscribe(channel)
            return False
        before, subscription.node = subscription.node, owner
        if before is not None:
            await before.subscription.unsubscribe(channel)
        return True
