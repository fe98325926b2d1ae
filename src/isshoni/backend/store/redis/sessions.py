"""Which sessions exist in Redis, and the rehearsal sessions of this process."""

from collections.abc import AsyncIterator

from isshoni.backend.store.ports import Head
from isshoni.backend.store.redis import scripts, survey
from isshoni.backend.store.redis.port import RedisPort

_DELETED_DAYS = 30
"""How long a deleted session stays deleted: browsers keep what was written offline for weeks."""


class RedisSessions(RedisPort):
    """A `SessionDirectory` and a `RehearsalStore`."""

    _rehearsals: survey.Rehearsals

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if it does not exist; return where its logs end."""
        return await self._open(session_id, epoch)

    async def has_session(self, session_id: str) -> bool:
        """True if the session exists; raises `SessionDeleted`."""
        return await self._read_meta(session_id) is not None

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session, with its files, in one step; False if it did not exist."""
        mark_ms = _DELETED_DAYS * 86_400_000
        return bool(await self._run_with_files(scripts.DELETE_SESSION, session_id, mark_ms))

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
