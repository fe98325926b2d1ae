"""Which sessions a fake store has."""

from time import monotonic

from isshoni.backend.errors import SessionDeleted, SessionsFull
from isshoni.backend.store.ports import Head, Published, Swept
from tests.support.fake_store.port import FakePort


class FakeSessions(FakePort):
    """A `SessionDirectory`, a `RehearsalStore` and a `SessionSweeper` in memory."""

    expiry_seconds: float
    max_sessions: int

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        most = self.max_sessions
        known = session_id in self.server.sessions or session_id in self.server.deleted
        if epoch is None and most and not known and len(self._list_stored()) >= most:
            raise SessionsFull(most)
        return await self._open(session_id, epoch)

    def _list_stored(self) -> list[str]:
        return [name for name in self.server.sessions if not name.startswith("~")]

    async def record_use(self, session_id: str) -> None:
        await self._pause_to_write(when_full=True)
        if session := self.server.sessions.get(session_id):
            session.used_at = monotonic()

    async def sweep_sessions(self) -> Swept:
        await self._pause()
        now, server = monotonic(), self.server
        if not self.expiry_seconds:
            return Swept(len(self._list_stored()), 0)
        if server.watched_since is None:
            server.watched_since = now
        expired = 0
        for session_id in self._list_stored():
            session = server.sessions[session_id]
            if any(store.listens_to(session_id) for store in server.stores):
                session.used_at = now
            elif now - max(session.used_at, server.watched_since) >= self.expiry_seconds:
                await self.delete_session(session_id)
                expired += 1
        return Swept(len(self._list_stored()), expired)

    async def has_session(self, session_id: str) -> bool:
        await self._pause()
        if session_id in self.server.deleted:
            raise SessionDeleted(session_id)
        return session_id in self.server.sessions

    async def delete_session(self, session_id: str) -> bool:
        await self._pause_to_write(when_full=True)
        if session_id not in self.server.sessions:
            return session_id in self.server.deleted
        del self.server.sessions[session_id]
        self.server.deleted.add(session_id)
        self.server.publish(session_id, Published("deleted", 0, b""))
        return True

    async def sample_sessions(self, limit: int) -> list[str]:
        await self._pause()
        return self._list_stored()[:limit]

    def rehearsal_sessions(self) -> list[str]:
        return [f"~ready-{id(self)}"]

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        return await self._open(session_id)

    async def erase_session(self, session_id: str) -> None:
        await self._pause()
        self.server.sessions.pop(session_id, None)
