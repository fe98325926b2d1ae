"""The files of a fake store."""

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import FileKept
from tests.support.fake_store.port import FakePort


class FakeFiles(FakePort):
    """A `FileStore` in memory."""

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        await self._pause_to_write()
        if session_id in self.server.deleted:
            raise SessionDeleted(session_id)
        session = self.server.sessions.get(session_id)
        if session is None:
            return "no_session"
        if file_id in session.files:
            return "present"
        sizes = [max(len(one), 1024) for one in (*session.files.values(), content)]
        if sum(sizes) > room_bytes:
            return "full"
        session.files[file_id] = content
        return "kept"

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.files.get(file_id) if session else None
