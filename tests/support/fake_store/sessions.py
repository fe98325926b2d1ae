"""Which sessions a fake store has."""

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import Head, Published
from tests.support.fake_store.port import FakePort


class FakeSessions(FakePort):
    """A `SessionDirectory` and a `RehearsalStore` in memory."""

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        return await self._open(session_id, epoch)

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
        return [name for name in self.server.sessions if not name.startswith("~")][:limit]

    def rehearsal_sessions(self) -> list[str]:
        return [f"~ready-{id(self)}"]

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        return await self._open(session_id)

    async def erase_session(self, session_id: str) -> None:
        await self._pause()
        self.server.sessions.pop(session_id, None)
