"""The files of sessions in Redis."""

from typing import cast

from isshoni.backend.store.ports import FileKept
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.port import RedisPort


class RedisFiles(RedisPort):
    """A `FileStore`: one hash for each session."""

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        """Store a file with the session, if all its files then fit in `room_bytes`."""
        outcome: bytes = await self._run_with_files(
            scripts.KEEP_FILE, session_id, file_id, content, room_bytes
        )
        return cast(FileKept, outcome.decode())

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        """Read a file; None when the session has no such file."""
        keys = session_keys(session_id)
        content: bytes | None = await self._nodes.execute(keys.slot, b"HGET", keys.files, file_id)
        return content

    async def list_files(self, session_id: str) -> list[str]:
        """List the ids of a session's files."""
        keys = session_keys(session_id)
        ids = await self._nodes.execute(keys.slot, b"HKEYS", keys.files)
        return [file_id.decode() for file_id in ids if file_id]

    async def rewrite_file(self, session_id: str, file_id: str, content: bytes) -> bool:
        """Replace the bytes of a file, unless it is gone."""
        return bool(await self._run_with_files(scripts.REWRITE_FILE, session_id, file_id, content))
