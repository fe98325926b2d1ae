"""Session state in Redis: the keys of keys.py, changed by the scripts of lua/."""

import asyncio
import contextlib

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis import survey
from isshoni.backend.store.redis.bus import RedisBus
from isshoni.backend.store.redis.canvas import RedisCanvas
from isshoni.backend.store.redis.channels import SessionChannels
from isshoni.backend.store.redis.chat import RedisChat
from isshoni.backend.store.redis.files import RedisFiles
from isshoni.backend.store.redis.lag import LagBeacon
from isshoni.backend.store.redis.link import (
    ClusterWatch,
    RedisMeter,
    RedisNodes,
    WriteGate,
    parse_redis_url,
)
from isshoni.backend.store.redis.listeners import SessionListeners
from isshoni.backend.store.redis.notes import RedisNotes
from isshoni.backend.store.redis.region import RedisRegion
from isshoni.backend.store.redis.sessions import RedisSessions
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.backend.store.redis.upkeep import Bounds, SessionUpkeep
from isshoni.backend.tasks import start_lasting


class RedisStore(
    RedisChat, RedisCanvas, RedisFiles, RedisNotes, RedisBus, RedisSessions, RedisRegion
):
    """All ports over one server or many; docs/redis.md says which Redis it needs.

    A write that raises `StoreUnavailable` may have happened, unless Redis itself
    refused it. The caller may repeat it: (client_id, n) identifies a message, and a Yjs update may
    be applied twice. Reading needs neither free memory nor a replica that answers; deleting
    and compacting need no free memory.
    When Redis has lost a session, the first operation on it creates it again under a new
    epoch, and every subscriber re-reads.
    """

    def __init__(self, url: str, settings: StoreSettings | None = None) -> None:
        settings = self._settings = settings or StoreSettings()
        self.meter = RedisMeter()
        self._listeners = SessionListeners(self.meter, settings.reread_delay_seconds)
        self.gate = WriteGate()
        self._nodes = RedisNodes(
            parse_redis_url(url),
            settings.link,
            self.meter,
            self._listeners.reread_all,
            self.gate if settings.has_regions else None,
        )
        self._rehearsals = survey.Rehearsals(self._nodes)
        self._channels = SessionChannels(self._nodes, self._listeners, settings.channel_secret)
        bounds = Bounds(settings.session_expiry_seconds, settings.max_sessions)
        self._upkeep = SessionUpkeep(self._nodes, self._run_with_files, bounds)
        self._sweeps = bounds.needs_sweeps
        self._beacon = LagBeacon(self._nodes, settings.lag_interval_seconds)
        self._retention = (
            round(settings.offline_window_seconds * 1000),
            settings.chat_retention,
            settings.chat_ceiling,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect; while Redis is away this is retried, and is no error here."""
        await self._nodes.start()
        if self._nodes.deployment.kind == "cluster":
            watch = ClusterWatch(self._nodes)
            with contextlib.suppress(StoreUnavailable):  # it goes on trying
                await watch.refresh()
            self._tasks.append(start_lasting("watch the cluster", watch.run))
        if self._sweeps:
            self._tasks.append(start_lasting("sweep the sessions", self._upkeep.run))
        self._tasks.append(start_lasting("measure pub/sub lag", self._beacon.run))

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._nodes.aclose()

    @property
    def connected(self) -> bool:
        """True while every connection is established."""
        return self._nodes.connected

    @property
    def latency_ms(self) -> float:
        """The worst latency of a command in the last seconds."""
        return self.meter.latency.worst * 1000

    @property
    def shortage(self) -> str | None:
        """On how many replicas writes are while they are acknowledged with too few, or None."""
        return self._nodes.shortage

    @property
    def writes_short_of_replicas(self) -> int:
        """The number of writes acknowledged on fewer replicas than wanted."""
        return self.meter.writes_short_of_replicas

    @property
    def pubsub_lag_ms(self) -> float:
        """The worst time in the last seconds from publishing to receiving it."""
        return self._beacon.worst_seconds * 1000

    @property
    def sessions_stored(self) -> int:
        """The number of stored sessions as last counted here; 0 without a bound on them."""
        return self._upkeep.sessions

    @property
    def sessions_expired(self) -> int:
        """The number of sessions that this process let expire."""
        return self._upkeep.expired

    async def probe(self) -> float:
        """Write and read a key on every primary; return the seconds of the slowest."""
        return await survey.probe_nodes(self._nodes)

    async def read_info(self) -> list[dict[str, str] | None]:
        """Return the INFO text of each primary; None for a primary that refuses INFO."""
        return await survey.read_info(self._nodes)
