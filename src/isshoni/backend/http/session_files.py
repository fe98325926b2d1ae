"""The files of a session: images on its canvas, and what its chat messages name."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from isshoni.backend.context import BackendContext
from isshoni.backend.http.door import HttpRefusal
from isshoni.backend.http.images import IMAGE_TYPES, find_image_type
from isshoni.backend.store.ports import FileStore, SessionDirectory
from isshoni.session.identifiers import is_identifier

MAX_AT_ONCE = 16
"""Files that this process receives or sends at the same time; each is in memory."""
MAX_AT_ONCE_PER_ADDRESS = 4
BODY_SECONDS = 30.0
_LOCKED_DOWN = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A file that is opened as a page of this server must run no script."""
_UNKNOWN_TYPE = "application/octet-stream"


class FilesOfSessions(FileStore, SessionDirectory, Protocol):
    """The ports that requests for files need."""


class SessionFiles:
    """Stores and returns files; a file never changes.

    An image has the type of its first bytes. The type of another file is not stored: it is sent as
    bytes to be saved, never to be shown.
    """

    def __init__(self, context: BackendContext) -> None:
        self._store: FilesOfSessions = context.store
        self._limits = context.settings.limits
        self._at_once: list[str | None] = []

    async def keep(
        self, request: Request, session_id: str, file_id: str, address: str | None
    ) -> Response:
        """Store the body of a request as a file; raises `HttpRefusal`."""
        _check_file_id(file_id)
        claimed = _read_type(request)
        self._check_allowed(claimed)
        await self._find_session(session_id)
        with self._in_memory(address):
            content = await self._read_body(request)
            found = find_image_type(content)
            if claimed in IMAGE_TYPES and found != claimed:
                raise HttpRefusal(415, "not_an_image", f"its bytes are not those of {claimed}")
            # It is sent as what its bytes are, whatever was claimed.
            self._check_allowed(found or claimed)
            return await self._keep(session_id, file_id, content)

    def _check_allowed(self, media_type: str) -> None:
        if not self._limits.file_types.allows(media_type):
            reason = f"this server takes no files of type {media_type!r:.80}"
            raise HttpRefusal(415, "type_not_allowed", reason)

    async def _keep(self, session_id: str, file_id: str, content: bytes) -> Response:
        room_bytes = self._limits.files_bytes
        kept = await self._store.keep_file(session_id, file_id, content, room_bytes=room_bytes)
        if kept == "no_session":
            raise no_such_session()
        if kept == "full":
            raise HttpRefusal(
                413, "files_full", f"the session's files would be over {room_bytes} bytes"
            )
        if kept == "present" and await self._store.read_file(session_id, file_id) != content:
            raise HttpRefusal(409, "file_exists", f"there is another file {file_id}: rename yours")
        return Response(status_code=201 if kept == "kept" else 200)

    async def _read_body(self, request: Request) -> bytes:
        most = self._limits.file_bytes
        declared = request.headers.get("content-length", "")
        too_large = HttpRefusal(413, "too_large", f"a file has at most {most} bytes")
        if declared.isdigit() and int(declared) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except (TimeoutError, ClientDisconnect):
            raise HttpRefusal(408, "too_slow", "the body did not arrive in time") from None
        return bytes(body)

    async def read(self, session_id: str, file_id: str, address: str | None) -> Response:
        """Return a file as a response; raises `HttpRefusal`."""
        _check_file_id(file_id)
        await self._find_session(session_id)
        with self._in_memory(address):
            content = await self._store.read_file(session_id, file_id)
            if content is None:
                raise HttpRefusal(404, "no_such_file", f"the session has no file {file_id}")
            headers = {
                "cache-control": "private, max-age=31536000, immutable",
                "content-security-policy": _LOCKED_DOWN,
                "content-disposition": "attachment",
            }
            return Response(content, 200, headers, find_image_type(content) or _UNKNOWN_TYPE)

    async def _find_session(self, session_id: str) -> None:
        if not await self._store.has_session(session_id):
            raise no_such_session()

    @contextmanager
    def _in_memory(self, address: str | None) -> Iterator[None]:
        """Count a file while it is in memory; raises `HttpRefusal` if there are too many."""
        of_address = self._at_once.count(address) if address else 0
        if len(self._at_once) >= MAX_AT_ONCE or of_address >= MAX_AT_ONCE_PER_ADDRESS:
            raise HttpRefusal(503, "not_ready", "too many files at once", Retry_After="1")
        self._at_once.append(address)
        try:
            yield
        finally:
            self._at_once.remove(address)


def no_such_session() -> HttpRefusal:
    """Return the refusal of a request on a session that does not exist."""
    return HttpRefusal(404, "no_such_session", "there is no such session")


def _check_file_id(file_id: str) -> None:
    if not is_identifier(file_id):
        raise HttpRefusal(400, "bad_file_id", "a file id is [A-Za-z0-9_-]{1,64}")


def _read_type(request: Request) -> str:
    claimed = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return claimed or _UNKNOWN_TYPE
