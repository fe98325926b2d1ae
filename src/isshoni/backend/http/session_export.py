"""Export a session as files: its chat as text, its canvas as JSON."""

from collections.abc import AsyncIterator
from typing import Protocol

from starlette.responses import Response, StreamingResponse

from isshoni.backend.http.chat_text import ActIndex, ChatText, read_names
from isshoni.backend.http.session_files import no_such_session
from isshoni.backend.live.canvas_worker import elements_apart, map_apart
from isshoni.backend.store.ports import CanvasStore, ChatStore, Entry, SessionDirectory

_PAGE = 500


class ExportedStore(ChatStore, CanvasStore, SessionDirectory, Protocol):
    """The ports that an export reads."""


class SessionExport:
    """Reads whole sessions from Redis; the session need not be live in this process."""

    def __init__(self, store: ExportedStore) -> None:
        self._store = store

    async def chat_text(self, session_id: str) -> Response:
        """Return the conversation as it is now as text, a line a message, oldest first."""
        await self._find_session(session_id)
        # All of it once before the answer begins: what came later decides what an early line shows.
        acts = await self._read_acts(session_id)
        log = await self._store.load_canvas(session_id)
        text = ChatText(read_names(await map_apart(log, "people")), acts)
        return StreamingResponse(
            self._write_lines(session_id, text),
            headers=_attachment(f"{session_id}-chat.txt"),
            media_type="text/plain; charset=utf-8",
        )

    async def _read_acts(self, session_id: str) -> ActIndex:
        acts = ActIndex()
        while page := await self._read_page(session_id, acts.last_seq):
            acts.add(page)
        return acts

    async def _write_lines(self, session_id: str, text: ChatText) -> AsyncIterator[bytes]:
        seq = 0
        # What is appended after the first pass is not in this export.
        while seq < text.acts.last_seq and (page := await self._read_page(session_id, seq)):
            seq = page[-1].seq
            known = (entry for entry in page if entry.seq <= text.acts.last_seq)
            yield "".join(text.format(entry) for entry in known).encode()

    async def _read_page(self, session_id: str, after: int) -> list[Entry]:
        return await self._store.read_chat(session_id, after=after, limit=_PAGE)

    async def canvas_json(self, session_id: str) -> Response:
        """Return every element of the canvas by its id, as JSON."""
        await self._find_session(session_id)
        log = await self._store.load_canvas(session_id)
        elements = await elements_apart(log)
        content = b'{"type":"isshoni-canvas","version":1,"session_id":"%b","elements":%b}' % (
            session_id.encode(),
            elements,
        )
        headers = _attachment(f"{session_id}-canvas.json")
        return Response(content, headers=headers, media_type="application/json")

    async def _find_session(self, session_id: str) -> None:
        if not await self._store.has_session(session_id):
            raise no_such_session()


def _attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
