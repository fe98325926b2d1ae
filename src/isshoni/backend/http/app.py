"""The public application: pages, health, and the WebSocket endpoint."""

from collections.abc import Coroutine, Sequence
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from isshoni.backend.context import BackendContext
from isshoni.backend.health.health import Health
from isshoni.backend.http.asset_shelf import AssetShelf
from isshoni.backend.http.cross_origin import allow_regions, answer_preflight, is_preflight
from isshoni.backend.http.headers import Headers, add_headers, make_headers
from isshoni.backend.http.pages import INDEX, Pages, answer_with
from isshoni.backend.http.session_api import PREFIX, add_session_api
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.session.identifiers import is_identifier

WEBSOCKET_PREFIX = "/ws/"
_NOT_FOUND = (
    "Isshoni has nothing at {path}. Below a path of its own, the proxy in front must remove that "
    "path: docs/operate.md, A proxy in front.\n"
)
_NOT_FOUND_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Not found · isshoni</title>
<h1>Nothing is here</h1>
<p>There is no page at <code>{path}</code>.
A canvas has an address like <code>/s/quiet-heron</code>.</p>
<p lang="ko">이 주소에는 아무것도 없어요.
캔버스의 주소는 <code>/s/quiet-heron</code>과 같은 모양이에요.</p>
<p><a href="{home}">Home · <span lang="ko">처음으로</span></a></p>
<p>If you operate this server below a path of its own: the proxy in front must remove that path
(docs/operate.md, A proxy in front).</p>
</html>
"""
_PLACEHOLDER = "<!doctype html><title>Isshoni</title><p>Isshoni: open a WebSocket on /ws/{session}."


class PlatformApp(FastAPI):
    """A FastAPI application whose WebSockets skip its middleware.

    Each layer would keep coroutines for every connection and wrap every `send`: measured with
    `benchmarks/backend_load.py idle`, an idle connection takes 26 kB with them and 20 without.
    """

    def __init__(self, manager: WebSocketManager, headers: Headers, regions: Sequence[str]) -> None:
        super().__init__(title="Isshoni", openapi_url=None, docs_url=None, redoc_url=None)
        self._manager = manager
        self._headers = headers
        self._regions = regions

    def __call__(  # not async: that would keep a frame for each connection
        self, scope: Scope, receive: Receive, send: Send
    ) -> Coroutine[Any, Any, None]:
        """Serve `/ws/{session_id}` raw, and everything else as FastAPI does."""
        if scope["type"] == "websocket" and scope["path"].startswith(WEBSOCKET_PREFIX):
            session_id = scope["path"].removeprefix(WEBSOCKET_PREFIX)
            return self._manager.serve(session_id, scope, receive, send)
        if scope["type"] == "websocket":
            self._manager.count_wrong_path(scope)
        send = add_headers(scope, send, self._headers)
        if self._regions and scope["type"] == "http" and scope["path"].startswith(PREFIX):
            send = allow_regions(scope, send, self._regions)
            if is_preflight(scope):
                return answer_preflight(scope, receive, send)
        return super().__call__(scope, receive, send)


def create_app(
    context: BackendContext,
    manager: WebSocketManager,
    health: Health,
    pages: Pages,
    shelf: AssetShelf,
) -> FastAPI:
    """Make the public application."""
    settings = context.settings
    regions = settings.region_alternatives
    app = PlatformApp(manager, make_headers(settings.embed_hosts, regions), regions)

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        readiness = await health.check()
        content = {
            "ready": readiness.ready,
            "reason": readiness.reason,
            "limit": readiness.limit,
            "shortage": readiness.shortage,
        }
        return JSONResponse(content, status_code=200 if readiness.ready else 503)

    @app.api_route("/", methods=["GET", "HEAD"])
    @app.api_route("/s/{session_id}", methods=["GET", "HEAD"])
    @app.api_route("/s/{session_id}/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        index = await pages.find_index(depth=request.url.path.count("/") - 1)
        if index is None:
            return HTMLResponse(_PLACEHOLDER)
        answer = answer_with(index, INDEX, request)
        is_session = is_identifier(request.path_params.get("session_id", "-"))
        if not is_session and answer.status_code == 200:
            answer.status_code = 404  # the page says why
        return answer

    @app.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(request: Request, name: str) -> Response:
        file = await pages.find(name) or await shelf.find(name)
        return answer_with(file, name, request) if file else Response(status_code=404)

    @app.exception_handler(404)
    async def say_not_found(request: Request, _: Exception) -> Response:
        path = request.url.path
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(_NOT_FOUND.format(path=path), 404)
        home = "../" * (path.count("/") - 1) or "./"
        return HTMLResponse(_NOT_FOUND_PAGE.format(path=escape(path), home=home), 404)

    add_session_api(app, context)
    return app
