"""The notes of a fake store."""

from tests.support.fake_store.port import FakePort


class FakeNotes(FakePort):
    """A `NoteStore` in memory."""

    async def read_note(self, name: str) -> bytes | None:
        await self._pause()
        return self.server.notes.get(name)

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        await self._pause_to_write()
        if replace:
            self.server.notes[name] = value
        return self.server.notes.setdefault(name, value)

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        await self._pause_to_write()
        self.server.lend(name, value, seconds)
