"""The record of which region may write, in Redis, and the replication that carries it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.keys import REGION_CHANNEL, REGION_KEY
from isshoni.backend.store.redis.link import ErrorReply
from isshoni.backend.store.redis.link.replication import parse_info
from isshoni.backend.store.redis.link.slots import slot_of_tag
from isshoni.backend.store.redis.port import RedisPort
from isshoni.session.region import RegionRecord

_SLOT = slot_of_tag(REGION_KEY)
_FIELDS = (b"term", b"writer", b"stamp", b"beat_ms")


@dataclass(frozen=True)
class Replication:
    """What a Redis reports about its own replication."""

    role: str | None = None
    """`master` or `slave`; None if it refuses INFO."""
    link: str | None = None
    """`up` or `down`; None for a primary."""
    link_down_seconds: float | None = None
    unapplied_bytes: int = 0
    """Bytes that a replica has received and not applied."""


@dataclass(frozen=True)
class RegionReading:
    """The record and the replication, as read at one moment."""

    record: RegionRecord | None
    stamp: int = 0
    beat_ms: int | None = None
    """When the serving region last wrote a heartbeat, in ms since 1970."""
    replication: Replication = Replication()

    @property
    def is_replica(self) -> bool:
        """True if this Redis is a replica, so it accepts no writes."""
        return self.replication.role == "slave"


class RedisRegion(RedisPort):
    """A `RegionStore`: one hash. In a cluster it is the record of one shard only."""

    async def read_region(self) -> RegionReading:
        """Return the record, and how far Redis is in replicating."""
        term, writer, stamp, beat_ms = await self._nodes.execute(
            _SLOT, b"HMGET", REGION_KEY, *_FIELDS
        )
        record = None if term is None else RegionRecord(int(term), (writer or b"").decode())
        beat = None if beat_ms is None else int(beat_ms)
        return RegionReading(record, int(stamp or 0), beat, await self._read_replication())

    async def _read_replication(self) -> Replication:
        try:
            text = await self._nodes.execute(_SLOT, b"INFO", b"replication")
        except ErrorReply:
            return Replication()
        return parse_replication(parse_info(text))

    async def set_region(self, record: RegionRecord) -> RegionRecord | None:
        """Set the record and publish it; return the present one if that is of a later term.

        None if the record is as asked for. A term has one writer for ever.
        """
        done, term, writer = await self._nodes.run_ungated(
            _SLOT, scripts.SET_REGION, (REGION_KEY,), REGION_CHANNEL, record.term, record.writer
        )
        return None if done else RegionRecord(int(term), writer.decode())

    async def stamp_region(self, term: int) -> int:
        """Count that this process has no write in flight; 0 if the record has another term."""
        arguments = (REGION_CHANNEL, term)
        stamp = await self._nodes.run_ungated(
            _SLOT, scripts.STAMP_REGION, (REGION_KEY,), *arguments
        )
        return int(stamp)

    async def beat_region(self, writer: str, now_ms: int) -> None:
        """Write the heartbeat of the region that serves."""
        await self._nodes.run(_SLOT, scripts.BEAT_REGION, (REGION_KEY,), writer, now_ms)

    async def subscribe_region(self, listener: Callable[[], None]) -> None:
        """Call `listener` at each change of the record; raises `StoreUnavailable`."""
        await self._nodes.channels.subscribe(_SLOT, REGION_CHANNEL, lambda _: listener())

    def reread_sessions(self) -> None:
        """Let every session re-read: Redis is another one, or has another one's data."""
        self._listeners.reread_all()


def parse_replication(info: Mapping[str, str]) -> Replication:
    """Read the section `replication` of INFO."""
    if info.get("role") != "slave":
        return Replication(info.get("role"))
    down = info.get("master_link_down_since_seconds")
    received, applied = info.get("slave_read_repl_offset"), info.get("slave_repl_offset")
    unapplied = int(received) - int(applied) if received and applied else 0
    return Replication(
        "slave",
        info.get("master_link_status", "down"),
        float(down) if down is not None else None,
        max(0, unapplied),
    )
