"""The public application: pages, health, and the WebSocket endpoint."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from isshoni.backend.headers import add_headers
from isshoni.backend.health import Health
from isshoni.backend.websocket_manager import WebSocketManager

WEBSOCKET_PREFIX = "/ws/"
STATIC = Path(__file__).parent / "static"
_PLACEHOLDER = "<!doctype html><title>Isshoni</title><p>Isshoni: open a WebSocket on /ws/{session}."


class PlatformApp(FastAPI):
    """A FastAPI application whose WebSockets skip its middleware.

    Each layer would keep coroutines for every connection and wrap every `send`: measured
    with `benchmarks/backend_load.py idle`, 26 kB instead of 20 for one that is idle.
    """

    def __init__(self, manager: WebSocketManager) -> None:
        super().__init__(title="Isshoni", openapi_url=None, docs_url=None, redoc_url=None)
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/ws/{session_id}` raw, and everything else as FastAPI does."""
        if scope["type"] == "websocket" and scope["path"].startswith(WEBSOCKET_PREFIX):
            session_id = scope["path"].removeprefix(WEBSOCKET_PREFIX)
            await self._manager.serve(session_id, scope, receive, send)
        else:
            await super().__call__(scope, receive, add_headers(scope, send))


def create_app(manager: WebSocketManager, health: Health, static: Path = STATIC) -> FastAPI:
    """Make the public application."""
    app = PlatformApp(manager)

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        readiness = await health.check()
        content = {"ready": readiness.ready, "reason": readiness.reason}
        return JSONResponse(content, status_code=200 if readiness.ready else 503)

    @app.get("/")
    @app.get("/s/{session_id}")
    async def page() -> Response:
        index = static / "index.html"
        return FileResponse(index) if index.is_file() else HTMLResponse(_PLACEHOLDER)

    if static.is_dir():
        app.mount("/static", StaticFiles(directory=static))
    return app
