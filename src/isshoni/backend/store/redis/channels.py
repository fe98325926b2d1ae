"""The channels of sessions: one whose name only this deployment can compute, and an open one.

All databases of a Redis server, and everything else on it, share Redis's pub/sub.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache, partial
from hashlib import blake2b

from isshoni.backend.store.ports import Listener
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.link import RedisNodes
from isshoni.backend.store.redis.listeners import SessionListeners

_HASH_BYTES = 16
_CACHED_NAMES = 16_384


class ChannelNames:
    """The names of the channels of one deployment in one database.

    `open_name` is what earlier versions use: `live:{id}`, or `live:3:{id}` in database 3. Any
    client of that Redis can publish there. `keyed_name` adds a keyed hash of the database and
    the session id. lua/session.lua derives the open name from the keyed one.
    """

    def __init__(self, secret: str, database: int) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"isshoni-channel").digest()
        self._keyed = blake2b(b"%d\0" % database, key=key, digest_size=_HASH_BYTES)
        self._database = database
        self.keyed_name = lru_cache(_CACHED_NAMES)(self._make_keyed_name)

    def open_name(self, session_id: str) -> bytes:
        """Return the name that can be guessed from the session id."""
        channel = session_keys(session_id).channel
        return channel.replace(b":", b":%d:" % self._database, 1) if self._database else channel

    def _make_keyed_name(self, session_id: str) -> bytes:
        hashed = self._keyed.copy()
        hashed.update(session_id.encode())
        mark = urlsafe_b64encode(hashed.digest()).rstrip(b"=")
        return b"%b:%b" % (self.open_name(session_id), mark)


class SessionChannels:
    """Subscribes to the sessions of one deployment in one Redis database.

    What arrives on the keyed channel is believed. What arrives on the open one may be of an
    earlier version, of this deployment with another secret, or of anything else on that Redis:
    its content is ignored, and the log is read instead.

    The scripts publish on the open channel too while it has more subscribers than the keyed one.
    So the open one is subscribed first and unsubscribed last: otherwise the difference could
    hide an earlier version's subscription.
    """

    def __init__(self, nodes: RedisNodes, listeners: SessionListeners, secret: str) -> None:
        self._nodes = nodes
        self._listeners = listeners
        self._names = ChannelNames(secret, nodes.deployment.primary.database)
        self.name = self._names.keyed_name

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Subscribe to a session; once it returns, no later publication is missed."""
        slot, subscribed = session_keys(session_id).slot, self._listeners.add(session_id, listener)
        receive = partial(self._listeners.deliver, session_id, subscribed)
        receive_hint = partial(self._listeners.deliver_hint, session_id, subscribed)
        channels, open_name = self._nodes.channels, self._names.open_name(session_id)
        try:
            await channels.subscribe(slot, open_name, receive_hint)
            try:
                await channels.subscribe(slot, self.name(session_id), receive)
            except BaseException:
                await channels.unsubscribe(open_name)
                raise
        except BaseException:
            self._listeners.discard(session_id, subscribed)
            raise
        subscribed.complete = True

    async def unsubscribe(self, session_id: str) -> None:
        """Unsubscribe from a session."""
        self._listeners.discard(session_id)
        channels = self._nodes.channels
        await channels.unsubscribe(self.name(session_id))
        await channels.unsubscribe(self._names.open_name(session_id))
