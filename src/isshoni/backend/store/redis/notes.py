"""Notes of the whole deployment in Redis."""

from isshoni.backend.store.redis.keys import note_key
from isshoni.backend.store.redis.link.slots import slot_of_tag
from isshoni.backend.store.redis.port import RedisPort


class RedisNotes(RedisPort):
    """A `NoteStore`: one string key for each note."""

    async def read_note(self, name: str) -> bytes | None:
        """Return a note of the whole deployment; None if there is none."""
        key = note_key(name)
        note: bytes | None = await self._nodes.execute(slot_of_tag(key), b"GET", key)
        return note

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        """Write a note unless there is one, or replace it; return the stored one."""
        key = note_key(name)
        slot = slot_of_tag(key)
        if replace:
            await self._nodes.execute(slot, b"SET", key, value)
            return value
        present = await self._nodes.execute(slot, b"SET", key, value, b"NX", b"GET")
        return value if present is None else bytes(present)

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        """Write a note that expires; writing it again prolongs it."""
        key = note_key(name)
        await self._nodes.execute(
            slot_of_tag(key), b"SET", key, value, b"PX", round(seconds * 1000)
        )
