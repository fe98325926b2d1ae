"""Export a session as files: its chat as text, its canvas as JSON."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from msgspec import UNSET
from starlette.responses import Response, StreamingResponse

from isshoni.backend.http.session_files import no_such_session
from isshoni.backend.live.canvas_worker import elements_apart, map_apart
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import CanvasStore, ChatStore, Entry, SessionDirectory
from isshoni.session.messages import ChatEnvelope

_PAGE = 500
_MAX_NAME_CHARACTERS = 40
"""As on the page."""
_envelopes = msgspec.json.Decoder(ChatEnvelope)


class ExportedStore(ChatStore, CanvasStore, SessionDirectory, Protocol):
    """The ports that an export reads."""


class SessionExport:
    """Reads whole sessions from Redis; the session need not be live in this process."""

    def __init__(self, store: ExportedStore) -> None:
        self._store = store

    async def chat_text(self, session_id: str) -> Response:
        """Return the whole chat log as text, one line a message, oldest first."""
        await self._find_session(session_id)
        # The first page before the answer begins: after that an error has no status any more.
        page = await self._store.read_chat(session_id, after=0, limit=_PAGE)
        log = await self._store.load_canvas(session_id)
        names = read_names(await map_apart(log, "people"))
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


def read_names(entered: bytes) -> dict[str, str]:
    """Return the names that users of the page have chosen, by client id.

    The page keeps them in the document. Any client may write anything there.
    """
    entries = msgspec.json.decode(entered) or {}
    names = {
        client_id: " ".join(entry["name"].split())[:_MAX_NAME_CHARACTERS]
        for client_id, entry in entries.items()
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    }
    return {client_id: name for client_id, name in names.items() if name}


def format_entry(entry: Entry, names: Mapping[str, str]) -> str:
    """Format a chat entry as a line: time (UTC), author, text; its further lines are indented."""
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
