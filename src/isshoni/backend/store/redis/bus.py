"""Publications of sessions through Redis."""

from collections.abc import Callable

from isshoni.backend.store.ports import Listener
from isshoni.backend.store.publication import encode_awareness
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.port import RedisPort


class RedisBus(RedisPort):
    """A `SessionBus` and its `ReconnectEvents`: sharded pub/sub, one channel for each session."""

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Subscribe: once this returns, no later publication is missed."""
        await self._channels.subscribe(session_id, listener)

    async def unsubscribe(self, session_id: str) -> None:
        """Unsubscribe from a session."""
        await self._channels.unsubscribe(session_id)

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Send to every subscriber; it is not stored."""
        slot, channel = session_keys(session_id).slot, self._channels.name(session_id)
        await self._nodes.execute(slot, b"SPUBLISH", channel, encode_awareness(payload))

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Register a callback for when lost subscriptions are restored.

        Also after Redis was found to have lost a session that this process has open.
        """
        self._listeners.on_reread(callback)
