"""The channels of sessions, each of one database: Redis's pub/sub itself knows no databases."""

from functools import partial

from isshoni.backend.ports import Listener
from isshoni.backend.redis_keys import session_keys
from isshoni.backend.redis_link import RedisNodes
from isshoni.backend.redis_listeners import Listeners


class SessionChannels:
    """Hears sessions of one database, and no other's.

    Database 0 has the names that every version has used. Another one has names with its
    number; versions before those published everything under the names of database 0. What
    is heard there may be of any database, so it is not believed: the log is read instead.
    """

    def __init__(self, nodes: RedisNodes, listeners: Listeners) -> None:
        self._nodes = nodes
        self._listeners = listeners
        self._database = nodes.deployment.primary.database

    def name(self, session_id: str) -> bytes:
        """Return the name of a session's channel."""
        shared = session_keys(session_id).channel
        return shared.replace(b":", b":%d:" % self._database, 1) if self._database else shared

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Hear what is published from now on: when it returns, nothing later is missed."""
        keys, subscribed = session_keys(session_id), self._listeners.add(session_id, listener)
        hear = partial(self._listeners.hear, session_id, subscribed)
        hint = partial(self._listeners.hear_hint, session_id, subscribed)
        channels = self._nodes.channels
        try:
            await channels.subscribe(keys.slot, self.name(session_id), hear)
            if self._database:
                await channels.subscribe(keys.slot, keys.channel, hint)
        except BaseException:
            self._listeners.discard(session_id, subscribed)
            raise

    async def unsubscribe(self, session_id: str) -> None:
        """Hear no more of a session."""
        self._listeners.discard(session_id)
        await self._nodes.channels.unsubscribe(self.name(session_id))
        if self._database:
            await self._nodes.channels.unsubscribe(session_keys(session_id).channel)
