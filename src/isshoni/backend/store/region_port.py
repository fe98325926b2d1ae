"""What a process needs of the record of which region may write."""

from collections.abc import Callable
from typing import Protocol

from isshoni.backend.store.redis.region import RegionReading
from isshoni.session.region import RegionRecord


class RegionStore(Protocol):
    """The record, and the replication that carries it; each method raises `StoreUnavailable`."""

    async def read_region(self) -> RegionReading:
        """Return the record, and how far Redis is in replicating."""

    async def set_region(self, record: RegionRecord) -> RegionRecord | None:
        """Set the record and publish it; return the present one if that is of a later term."""

    async def stamp_region(self, term: int) -> int:
        """Count that this process has no write in flight; 0 if the record has another term."""

    async def beat_region(self, writer: str, now_ms: int) -> None:
        """Write the heartbeat of the region that serves."""

    async def subscribe_region(self, listener: Callable[[], None]) -> None:
        """Call `listener` at each change of the record."""

    def reread_sessions(self) -> None:
        """Let every session re-read."""

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Register a callback for when lost subscriptions are restored."""
