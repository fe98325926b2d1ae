"""The channels that a process hears, each on the server that owns its slot."""

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
    """Who owns what, as far as is known."""

    stale: asyncio.Event

    def owner(self, slot: int) -> RedisNode:
        """Give the server that owns a slot."""

    async def find_target(self, refusal: ErrorReply) -> RedisNode:
        """Find the server that a MOVED names."""


@dataclass(eq=False)
class _Heard:
    slot: int
    callback: OnPublication
    node: RedisNode | None
    """Where; None: that server has let go of it."""


class Channels:
    """Subscriptions that follow their slots; `on_whole` is called when some have moved."""

    def __init__(self, topology: Topology, on_whole: Callable[[], None]) -> None:
        self._topology = topology
        self._on_whole = on_whole
        self._heard: dict[bytes, _Heard] = {}

    async def subscribe(self, slot: int, channel: bytes, callback: OnPublication) -> None:
        """Hear a channel: once this returns, nothing published later is missed.

        Raises `StoreUnavailable`, and then the channel is not subscribed.
        """
        node = self._topology.owner(slot)
        heard = self._heard[channel] = _Heard(slot, callback, node)
        try:
            for _ in range(_MAX_REDIRECTS):
                try:
                    await node.subscription.subscribe(channel, callback)
                    return
                except ErrorReply as refusal:
                    if refusal.code != "MOVED":
                        raise
                    node = heard.node = await self._topology.find_target(refusal)
            raise StoreUnavailable("the slot of the channel is on its way; nobody serves it")
        except BaseException:
            if self._heard.get(channel) is heard:
                del self._heard[channel]
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Hear no more of a channel; never fails: a lost connection hears nothing either."""
        heard = self._heard.pop(channel, None)
        if heard is not None and heard.node is not None:
            await heard.node.subscription.unsubscribe(channel)

    def lose(self, channel: bytes) -> None:
        """Note that the server has let go of a channel, for its slot has gone elsewhere."""
        if heard := self._heard.get(channel):
            heard.node = None
            self._topology.stale.set()

    @property
    def settled(self) -> bool:
        """Whether each is heard where its slot is."""
        owner = self._topology.owner
        return all(heard.node is owner(heard.slot) for heard in self._heard.values())

    async def move(self) -> None:
        """Hear each where its slot is now; what cannot be heard yet is left as it is."""
        owner = self._topology.owner
        astray = [
            (channel, heard)
            for channel, heard in self._heard.items()
            if heard.node is not owner(heard.slot)
        ]
        moved: list[bool] = []
        for begin in range(0, len(astray), _BATCH):
            batch = astray[begin : begin + _BATCH]
            moved += await asyncio.gather(
                *(self._move(*one) for one in batch), return_exceptions=False
            )
        if any(moved):
            self._on_whole()

    async def _move(self, channel: bytes, heard: _Heard) -> bool:
        owner = self._topology.owner(heard.slot)
        try:
            await owner.subscription.subscribe(channel, heard.callback)
        except StoreUnavailable:
            return False
        if self._heard.get(channel) is not heard:
            await owner.subscription.unsubscribe(channel)
            return False
        before, heard.node = heard.node, owner
        if before is not None:
            await before.subscription.unsubscribe(channel)
        return True
