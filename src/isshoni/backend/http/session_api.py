"""The HTTP requests on a session; docs/protocol.md describes them in full."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.http.door import HttpDoor, HttpRefusal
from isshoni.backend.http.session_export import SessionExport
from isshoni.backend.http.session_files import SessionFiles, no_such_session
from isshoni.backend.log import log_event

PREFIX = "/sessions/"


def add_session_api(app: FastAPI, context: BackendContext) -> None:
    """Add the routes below `/sessions/`, and the handlers of their refusals."""
    door, store = HttpDoor(context), context.store
    files, export = SessionFiles(context), SessionExport(store)
    router = APIRouter(prefix="/sessions/{session_id}")

    @router.put("/files/{file_id}")
    async def keep_file(request: Request, session_id: str, file_id: str) -> Response:
        address = door.admit(request, session_id, writes=True)
        return await files.keep(request, session_id, file_id, address)

    @router.get("/files/{file_id}")
    async def send_file(request: Request, session_id: str, file_id: str) -> Response:
        address = door.admit(request, session_id)
        return await files.read(session_id, file_id, address)

    @router.get("/export/chat.txt")
    async def export_chat(request: Request, session_id: str) -> Response:
        door.admit(request, session_id)
        return await export.chat_text(session_id)

    @router.get("/export/canvas.json")
    async def export_canvas(request: Request, session_id: str) -> Response:
        door.admit(request, session_id)
        return await export.canvas_json(session_id)

    @router.post("/admission")
    async def check_admission(request: Request, session_id: str) -> Response:
        # Browsers hide why a WebSocket was refused, but show a page the answer to a POST.
        door.admit(request, session_id)
        return Response(status_code=204)

    @router.delete("")
    async def delete_session(request: Request, session_id: str) -> Response:
        door.admit(request, session_id, writes=True)
        if not await store.delete_session(session_id):
            raise no_such_session()
        context.counters.sessions_deleted += 1
        log_event("session_deleted", session=session_id)
        return Response(status_code=204)

    app.include_router(router)
    _add_refusals(app, context)


def _add_refusals(app: FastAPI, context: BackendContext) -> None:
    @app.exception_handler(HttpRefusal)
    async def refuse(_: Request, refusal: HttpRefusal) -> Response:
        return refusal.make_response()

    @app.exception_handler(SessionDeleted)
    async def refuse_deleted(_: Request, fault: SessionDeleted) -> Response:
        return HttpRefusal(410, "deleted", str(fault)).make_response()

    @app.exception_handler(StoreUnavailable)
    async def refuse_unavailable(_: Request, fault: StoreUnavailable) -> Response:
        context.counters.redis_errors += 1
        log_event("request_failed", error=fault)
        reason = "the session cannot be reached; ask again soon"
        return HttpRefusal(503, "not_ready", reason, Retry_After="1").make_response()
