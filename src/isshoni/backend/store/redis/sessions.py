"""Which sessions exist in Redis, and the rehearsal sessions of this process."""

import contextlib
from collections.abc import AsyncIterator

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.ports import Head, Swept
from isshoni.backend.store.redis import scripts, survey
from isshoni.backend.store.redis.port import RedisPort
from isshoni.backend.store.redis.upkeep import DELETED_DAYS, SessionUpkeep

_EXISTED = 2
"""Answer of delete_session.lua: the session existed, not only the mark of a deleted one."""


class RedisSessions(RedisPort):
    """A `SessionDirectory`, a `RehearsalStore` and a `SessionSweeper`."""

    _rehearsals: survey.Rehearsals
    _upkeep: SessionUpkeep

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if it does not exist; return where its logs end.

        Raises `SessionsFull` for a new one beyond the quota; one with an `epoch` existed before.
        """
        present = await self._read_meta(session_id)
        if present is not None or epoch is not None:
            return await self._open(session_id, epoch, present)
        await self._upkeep.admit_new()
        created = False
        try:
            reply = await self._run(scripts.OPEN_SESSION, session_id)
            created = bool(reply[3])
        finally:
            if not created:
                await self._remove_one()
        return self._make_head(session_id, reply)

    async def _remove_one(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # the next sweep corrects the count
            await self._upkeep.remove_one()

    async def record_use(self, session_id: str) -> None:
        """Record that a session is in use now, so that it expires later."""
        await self._run(scripts.RECORD_USE, session_id)

    async def sweep_sessions(self) -> Swept:
        """Visit every session: expire those that are due, and count the others."""
        return await self._upkeep.sweep()

    async def has_session(self, session_id: str) -> bool:
        """True if the session exists; raises `SessionDeleted`."""
        return await self._read_meta(session_id) is not None

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session, with its files, in one step; False if it did not exist."""
        mark_ms = DELETED_DAYS * 86_400_000
        deleted: int = await self._run_with_files(scripts.DELETE_SESSION, session_id, mark_ms)
        if deleted == _EXISTED:
            await self._remove_one()
        return bool(deleted)

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN, in a bounded number of steps."""
        return await survey.sample_sessions(self._nodes, limit)

    def list_sessions(self) -> AsyncIterator[str]:
        """Find every session id by SCAN."""
        return survey.list_sessions(self._nodes)

    def rehearsal_sessions(self) -> list[str]:
        """Return one reserved session id on each primary; no client can use such an id."""
        return self._rehearsals.list_ids()

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        """Open a session that expires by itself if `erase_session` is never called."""
        head = await self._open(session_id)
        await self._rehearsals.limit_life(session_id, seconds)
        return head

    async def erase_session(self, session_id: str) -> None:
        """Delete every key of a session; unlike a deleted session it can be opened again."""
        await self._rehearsals.erase(session_id)
