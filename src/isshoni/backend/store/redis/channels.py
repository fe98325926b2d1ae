"""The channels of sessions, named by database: all databases share Redis's pub/sub."""

from functools import partial

from isshoni.backend.store.ports import Listener
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.link import RedisNodes
from isshoni.backend.store.redis.listeners import SessionListeners


class SessionChannels:
    """Subscribes to the sessions of one Redis database.

    Channels of database 0 have the names that every version has used. Those of another
    database have its number in their name; earlier versions published everything under the
    names of database 0. So a publication there may belong to any database: its content is
    ignored, and the log is read instead.
    """

    def __init__(self, nodes: RedisNodes, listeners: SessionListeners) -> None:
        self._nodes = nodes
        self._listeners = listeners
        self._database = nodes.deployment.primary.database

    def name(self, session_id: str) -> bytes:
        """Return the name of a session's channel."""
        shared = session_keys(session_id).channel
        return shared.replace(b":", b":%d:" % self._database, 1) if self._database else shared

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Subscribe to a session; once it returns, no later publication is missed."""
        keys, subscribed = session_keys(session_id), self._listeners.add(session_id, listener)
        hear = partial(self._listeners.deliver, session_id, subscribed)
        hint = partial(self._listeners.deliver_hint, session_id, subscribed)
        channels = self._nodes.channels
        try:
            await channels.subscribe(keys.slot, self.name(session_id), hear)
            if self._database:
                await channels.subscribe(keys.slot, keys.channel, hint)
        except BaseException:
            self._listeners.discard(session_id, subscribed)
            raise

    async def unsubscribe(self, session_id: str) -> None:
        """Unsubscribe from a session."""
        self._listeners.discard(session_id)
        await self._nodes.channels.unsubscribe(self.name(session_id))
        if self._database:
            await self._nodes.channels.unsubscribe(session_keys(session_id).channel)
