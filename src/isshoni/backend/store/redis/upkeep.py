"""Bound the number of stored sessions: expire unused ones, and count the rest by SCAN."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from isshoni.backend.errors import SessionsFull, StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import Swept
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.keys import (
    SESSION_PATTERN,
    SWEEP_KEY,
    SWEEP_LEASE_KEY,
    parse_session_id,
    session_keys,
)
from isshoni.backend.store.redis.link import RedisNodes
from isshoni.backend.store.redis.link.slots import slot_of_tag

EVERY_SECONDS = 3600.0
DELETED_DAYS = 30
"""How long a deleted or expired session stays deleted: browsers keep what was written offline."""
_UNWATCHED_MS = 3 * 3_600_000
"""A longer break between two sweeps starts the time of all sessions again: another version, or
processes that record no use, may have served them."""
_SCAN_PAGE = 500
_PAUSE_SECONDS = 0.005
"""Between two pages, so that a sweep of a large Redis takes a small part of its time."""
_SLOT = slot_of_tag(SWEEP_KEY)
_LEASE_SLOT = slot_of_tag(SWEEP_LEASE_KEY)

RunOnSession = Callable[..., Awaitable[Any]]
"""Runs a script on all keys of a session, with these arguments."""


@dataclass(frozen=True)
class Bounds:
    """What bounds the number of stored sessions; 0 stands for no bound."""

    expiry_seconds: float = 0.0
    max_sessions: int = 0

    @property
    def needs_sweeps(self) -> bool:
        """True if there is any bound."""
        return bool(self.expiry_seconds or self.max_sessions)


@dataclass(frozen=True)
class _Sweep:
    watched_since: bytes
    now: bytes

    def is_doubtful(self, used: bytes | None, limit_ms: float) -> bool:
        """True if a session may have to expire before long, so that a script must decide."""
        last_used = max(int(used or 0), int(self.watched_since))
        return int(self.now) - last_used >= limit_ms / 2


class SessionUpkeep:
    """Sweeps the sessions of a database, and admits new ones up to `max_sessions`.

    The counter is exact between sweeps but for processes that die between two commands; each
    sweep corrects it.
    """

    def __init__(self, nodes: RedisNodes, run_on_session: RunOnSession, bounds: Bounds) -> None:
        self._nodes = nodes
        self._run_on_session = run_on_session
        self._bounds = bounds
        self.sessions = 0
        """The number of stored sessions, as of the last sweep or the last new session here."""
        self.expired = 0
        """The number of sessions that this process let expire."""

    # The quota

    async def admit_new(self) -> None:
        """Count a session that is about to be created; raises `SessionsFull`."""
        if not self._bounds.max_sessions:
            return
        count = await self._add(1)
        if count > self._bounds.max_sessions:
            await self._add(-1)
            raise SessionsFull(self._bounds.max_sessions)

    async def remove_one(self) -> None:
        """Subtract a session that is gone, or was not created."""
        if self._bounds.max_sessions:
            await self._add(-1)

    async def _add(self, number: int) -> int:
        self.sessions = await self._nodes.execute(_SLOT, b"HINCRBY", SWEEP_KEY, b"sessions", number)
        return self.sessions

    # Sweeping

    async def run(self) -> None:
        """Sweep once an hour, or leave it to another process; runs until cancelled."""
        while True:
            try:
                if await self._take_lease():
                    await self.sweep()
            except StoreUnavailable as fault:
                log_event("sweep_failed", level=logging.WARNING, error=fault)
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.9, 1.1))

    async def _take_lease(self) -> bool:
        lease_ms = round(EVERY_SECONDS * 500)
        order = (b"SET", SWEEP_LEASE_KEY, b"1", b"NX", b"PX", lease_ms)
        return await self._nodes.execute(_LEASE_SLOT, *order) is not None

    async def sweep(self) -> Swept:
        """Visit every session: expire those that are due, and correct the count."""
        since, now, counted = await self._nodes.run(
            _SLOT,
            scripts.BEGIN_SWEEP,
            (SWEEP_KEY,),
            _UNWATCHED_MS,
            int(self._bounds.expiry_seconds > 0),
        )
        sweep = _Sweep(since, now)
        stored = expired = 0
        for node, _ in self._nodes.primaries():
            cursor = b""
            while cursor != b"0":
                cursor, keys = await node.direct.execute(
                    b"SCAN", cursor or b"0", b"MATCH", SESSION_PATTERN, b"COUNT", _SCAN_PAGE
                )
                kept, gone = await self._visit(keys, sweep)
                stored, expired = stored + kept, expired + gone
                await asyncio.sleep(_PAUSE_SECONDS)
        # What was created or deleted during the sweep has changed the counter since.
        await self._add(stored - int(counted))
        self.expired += expired
        if expired:
            log_event("sessions_expired", count=expired, stored=stored)
        return Swept(stored, expired)

    async def _visit(self, keys: list[bytes], sweep: _Sweep) -> tuple[int, int]:
        """Return how many of these sessions are stored, and how many expired now."""
        names = [name for key in keys if (name := parse_session_id(key)) is not None]
        metas = await asyncio.gather(*map(self._read_use, names), return_exceptions=False)
        stored = expired = 0
        for session_id, (epoch, used) in zip(names, metas, strict=True):
            if epoch is None:  # the mark of a deleted one
                continue
            if await self._expire_if_due(session_id, used, sweep):
                expired += 1
            else:
                stored += 1
        return stored, expired

    async def _expire_if_due(self, session_id: str, used: bytes | None, sweep: _Sweep) -> bool:
        limit_ms = self._bounds.expiry_seconds * 1000
        if not limit_ms or not sweep.is_doubtful(used, limit_ms):
            return False
        outcome = await self._run_on_session(
            scripts.EXPIRE_SESSION,
            session_id,
            round(limit_ms),
            sweep.watched_since,
            sweep.now,
            DELETED_DAYS * 86_400_000,
        )
        if outcome != b"expired":
            return False
        log_event("session_expired", session=session_id)
        return True

    async def _read_use(self, session_id: str) -> tuple[bytes | None, bytes | None]:
        keys = session_keys(session_id)
        epoch, used = await self._nodes.execute(
            keys.slot, b"HMGET", keys.meta, b"epoch", b"used_ms"
        )
        return epoch, used
