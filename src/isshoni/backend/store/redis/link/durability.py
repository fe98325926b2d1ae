"""Wait until writes are stored where they survive the loss of the primary."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from isshoni.backend.store.redis.link.errors import NotDurable
from isshoni.backend.tasks import start_awaited


class CommandConnection(Protocol):
    """One connection to Redis that carries commands in the order of the calls."""

    def execute(self, *command: bytes | int) -> "asyncio.Future[Any]":
        """Send a command; the future's result is the answer."""


@dataclass(frozen=True)
class Durability:
    """When a write counts as done."""

    replicas: int
    """On how many replicas it must be."""
    fsync: bool = False
    """True if it must be on the disks of primary and replicas (WAITAOF: Redis 7.2, Valkey 8)."""
    timeout_seconds: float = 1.0


class GroupWait:
    """One WAIT at a time, for all writes of a connection that were answered before it.

    WAIT delays every later command of its connection, so two are never queued: writes that
    arrive during one share the next one, as in the group commit of a database.
    """

    def __init__(self, connection: CommandConnection, durability: Durability) -> None:
        self._connection = connection
        self._durability = durability
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def confirm(self) -> None:
        """Return once all writes of this connection are durable.

        Raises `NotDurable` when that is not confirmed in time.
        """
        if self._next is None:
            self._next = start_awaited("wait for replicas", self._ask_after(self._current))
            self._next.add_done_callback(_retrieve)
        await asyncio.shield(self._next)

    async def _ask_after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._current, self._next = self._next, None
        wanted = self._durability
        timeout_ms = round(wanted.timeout_seconds * 1000)
        if wanted.fsync:
            command = (b"WAITAOF", 1, wanted.replicas, timeout_ms)
            local, replicas = await self._connection.execute(*command)
        else:
            local, replicas = (
                1,
                await self._connection.execute(b"WAIT", wanted.replicas, timeout_ms),
            )
        if replicas < wanted.replicas or not local:
            raise NotDurable(
                f"written, but only {replicas} of {wanted.replicas} replicas have it after "
                f"{wanted.timeout_seconds:g} s: it may not survive, send it again"
            )


def _retrieve(task: asyncio.Task[None]) -> None:
    # If the callers that waited were cancelled, nothing else reads the exception.
    if not task.cancelled():
        task.exception()
