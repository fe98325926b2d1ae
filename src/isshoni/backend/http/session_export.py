"""A session as files to take away: its chat as text, its canvas as JSON."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec
import pycrdt
from msgspec import UNSET
from starlette.responses import Response, StreamingResponse

from isshoni.backend.http.session_files import no_such_session
from isshoni.backend.live.canvas import render_elements, restore_document
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import CanvasLog, Entry, SessionStore
from isshoni.session.messages import ChatEnvelope

_PAGE = 500
_MAX_NAME_CHARACTERS = 40
"""As on the page."""
_envelopes = msgspec.json.Decoder(ChatEnvelope)


class SessionExport:
    """Reads whole sessions, from Redis and not from what is live: nothing need be loaded."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def chat_text(self, session_id: str) -> Response:
        """Return the whole chat log, a line per message, oldest first."""
        await self._find_session(session_id)
        # The first page before the answer begins: until then it can still be an error.
        page = await self._store.read_chat(session_id, after=0, limit=_PAGE)
        log = await self._store.load_canvas(session_id)
        names = await asyncio.to_thread(read_names, log)
        return StreamingResponse(
            self._write_lines(session_id, page, names),
            headers=_attachment(f"{session_id}-chat.txt"),
            media_type="text/plain; charset=utf-8",
        )

    async def _write_lines(
        self, session_id: str, page: list[Entry], names: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        while page:
            yield "".join(format_entry(entry, names) for entry in page).encode()
            page = await self._store.read_chat(session_id, after=page[-1].seq, limit=_PAGE)

    async def canvas_json(self, session_id: str) -> Response:
        """Return every element of the canvas by its id."""
        await self._find_session(session_id)
        log = await self._store.load_canvas(session_id)
        # A document made and dropped inside the thread: pycrdt objects stay in theirs.
        elements = await asyncio.to_thread(render_elements, log)
        content = b'{"type":"isshoni-canvas","version":1,"session_id":"%b","elements":%b}' % (
            session_id.encode(),
            elements,
        )
        headers = _attachment(f"{session_id}-canvas.json")
        return Response(content, headers=headers, media_type="application/json")

    async def _find_session(self, session_id: str) -> None:
        if not await self._store.has_session(session_id):
            raise no_such_session()


def read_names(log: CanvasLog) -> dict[str, str]:
    """Return the names that users of the page have chosen, by client id.

    The page keeps them in the document. Any client may write anything there.
    """
    entries = restore_document(log).yjs.get("people", type=pycrdt.Map).to_py() or {}
    names = {
        client_id: " ".join(entry["name"].split())[:_MAX_NAME_CHARACTERS]
        for client_id, entry in entries.items()
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    }
    return {client_id: name for client_id, name in names.items() if name}


def format_entry(entry: Entry, names: Mapping[str, str]) -> str:
    """Return a chat entry as a line: time (UTC), author, text; further lines are indented."""
    if find_envelope_fault(entry) is not None:
        return f"#{entry.seq}: cannot be read by this version\n"
    message = _envelopes.decode(entry.payload)
    known = names.get(message.client_id, message.client_id)
    author = known if message.name is UNSET else message.name
    text = "\n    ".join(message.text.splitlines())
    return f"{_format_time(message.at)}  {author}: {text}\n"


def _format_time(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"


def _attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
