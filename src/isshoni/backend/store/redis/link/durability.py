"""Wait until writes are stored where they survive the loss of the primary."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from isshoni.backend.store.redis.link.errors import ErrorReply, NotDurable
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.replication import count_connected, parse_info
from isshoni.backend.tasks import start_awaited


class CommandConnection(Protocol):
    """One connection to Redis that carries commands in the order of the calls."""

    def execute(self, *command: bytes | int) -> "asyncio.Future[Any]":
        """Send a command; the future's result is the answer."""


WaitPolicy = Literal["required", "best-effort"]
"""Whether a write is refused if too few replicas are connected, or acknowledged without them."""


@dataclass(frozen=True)
class Durability:
    """When a write counts as done."""

    replicas: int
    """On how many replicas it must be."""
    fsync: bool = False
    """True if it must be on the disks of primary and replicas (WAITAOF: Redis 7.2, Valkey 8)."""
    timeout_seconds: float = 1.0
    policy: WaitPolicy = "required"
    """With "best-effort" a write waits for no more replicas than are connected."""
    lag_limit_seconds: int = 10
    """A replica that was silent for longer is not connected (as in `min-replicas-max-lag`)."""


class GroupWait:
    """One WAIT at a time, for all writes of a connection that were answered before it.

    WAIT delays every later command of its connection, so two are never queued: writes that
    arrive during one share the next one, as in the group commit of a database.
    """

    def __init__(
        self, connection: CommandConnection, durability: Durability, meter: RedisMeter
    ) -> None:
        self._connection = connection
        self._durability = durability
        self._meter = meter
        self._known: int | None = None
        """On how many replicas the last durable writes are; None before the first."""
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    @property
    def shortage(self) -> str | None:
        """On how many replicas writes are while they are acknowledged with too few, or None."""
        wanted = self._durability.replicas
        if self._known is None or self._known >= wanted:
            return None
        return f"{self._known} of {wanted} replicas"

    async def confirm(self) -> None:
        """Return once all writes of this connection are durable.

        Raises `NotDurable` when that is not confirmed in time.
        """
        if self._next is None:
            self._next = start_awaited("wait for replicas", self._ask_after(self._current))
            self._next.add_done_callback(_retrieve)
        await asyncio.shield(self._next)
        if self.shortage is not None:
            self._meter.writes_short_of_replicas += 1

    async def _ask_after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._current, self._next = self._next, None
        asked = self._durability.replicas
        best_effort = self._durability.policy == "best-effort"
        if best_effort and self._known != asked:
            # Counted first, or each write would wait in vain for a replica that is gone.
            asked = await self._count_connected()
        local, replicas = await self._wait_for(asked)
        if best_effort and local and replicas < asked:
            asked = await self._count_connected()
        if replicas < asked or not local:
            raise NotDurable(
                f"written, but only {replicas} of {asked} replicas have it after "
                f"{self._durability.timeout_seconds:g} s: it may not survive, send it again"
            )
        self._known = asked

    async def _wait_for(self, replicas: int) -> tuple[int, int]:
        """Wait for the disk of the primary, if that is demanded, and for replicas."""
        timeout_ms = round(self._durability.timeout_seconds * 1000)
        if self._durability.fsync:
            local, confirmed = await self._connection.execute(b"WAITAOF", 1, replicas, timeout_ms)
            return local, confirmed
        if replicas == 0:
            return 1, 0
        return 1, await self._connection.execute(b"WAIT", replicas, timeout_ms)

    async def _count_connected(self) -> int:
        """Count the connected replicas, up to the number that a write must be on."""
        try:
            info = parse_info(await self._connection.execute(b"INFO", b"replication"))
        except ErrorReply as refusal:
            raise NotDurable(
                f"written, but how many replicas are connected is unknown: {refusal} "
                "(ISSHONI_REDIS_WAIT=best-effort needs the right +info)"
            ) from None
        connected = count_connected(info, self._durability.lag_limit_seconds)
        return min(self._durability.replicas, connected)


def _retrieve(task: asyncio.Task[None]) -> None:
    # If the callers that waited were cancelled, nothing else reads the exception.
    if not task.cancelled():
        task.exception()
