"""The canvas log of a fake store."""

from isshoni.backend.store.ports import Behind, CanvasLog, Entry, Published
from isshoni.session.messages import Position
from tests.support.fake_store.port import FakePort


class FakeCanvas(FakePort):
    """A `CanvasStore` in memory."""

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        await self._pause_to_write()
        session = self.server.sessions.get(session_id)
        lacks = session is None or (
            known is not None
            and session.lacks(session.canvas, session.canvas_seq, known, known_digest)
        )
        if known and lacks and session_id not in self.server.deleted:
            return Behind()
        session = self.server.open(session_id)
        session.canvas_seq = max(session.canvas_seq, beyond) + 1
        session.canvas.append(Entry(session.canvas_seq, update))
        self.server.publish(session_id, Published("canvas", session.canvas_seq, update))
        return session.canvas_seq

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return [entry for entry in session.canvas if entry.seq > after] if session else []

    async def load_canvas(self, session_id: str) -> CanvasLog:
        await self._pause()
        session = self.server.sessions.get(session_id)
        if session is None:
            return CanvasLog(None, [], 0)
        return CanvasLog(session.snapshot, list(session.canvas), session.canvas_seq)

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        await self._pause_to_write(when_full=True)
        session = self.server.open(session_id)
        opened = self._opened.get(session_id, session.epoch)
        if opened != session.epoch or not session.upto < upto <= session.canvas_seq:
            return False
        last = next((entry for entry in session.canvas if entry.seq == upto), None)
        if digest and (last is None or last.digest != digest):
            return False
        session.snapshot, session.upto = snapshot, upto
        session.canvas = [entry for entry in session.canvas if entry.seq > upto]
        return True
