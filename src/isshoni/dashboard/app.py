"""The dashboard's web application: its page, state, history, logs and five actions."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles

from isshoni.dashboard.access import Access
from isshoni.dashboard.console import ActionKind, Console
from isshoni.dashboard.feed import Feed, TooManyWatchers
from isshoni.engine.errors import NothingToDo
from isshoni.errors import IsshoniError

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
LOGS = ("blue", "green", "balancer", "redis", "supervisor")


def create_app(console: Console, access: Access) -> FastAPI:
    """Return the application for one environment."""
    app = FastAPI(title="Isshoni dashboard", openapi_url=None, docs_url=None, redoc_url=None)
    app.middleware("http")(_add_headers)
    app.exception_handler(IsshoniError)(_explain)

    @app.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    app.include_router(_make_reading(console, access))
    app.include_router(_make_reports(console, access))
    app.include_router(_make_acting(console, access))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _make_reading(console: Console, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api", dependencies=[Depends(access.check_reading)])
    feed = Feed(console.observe)

    @router.get("/status")
    async def status() -> dict[str, Any]:
        return await console.observe()

    @router.get("/events")
    async def events() -> StreamingResponse:
        feed.admit()
        return StreamingResponse(feed.watch(), media_type="text/event-stream")

    @router.get("/history")
    async def history(
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    ) -> list[dict[str, Any]]:
        return console.list_rollouts(limit)

    @router.get("/history/{rollout_id}")
    async def records(rollout_id: str) -> list[dict[str, Any]]:
        return console.list_records(rollout_id)

    @router.get("/logs/{name}")
    async def logs(
        name: str, lines: Annotated[int, Query(ge=1, le=2000)] = 100
    ) -> dict[str, list[str]]:
        if name not in LOGS:
            raise HTTPException(404, f"there is no log {name!r:.60}, only: {', '.join(LOGS)}")
        return {"lines": list(await console.read_log(name, lines))}

    return router


def _make_reports(console: Console, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/reports/{rollout_id}")
    async def report(
        request: Request, rollout_id: str, given: Annotated[str, Query(alias="pass")] = ""
    ) -> Response:
        if not hmac.compare_digest(given.encode(), console.make_pass(rollout_id).encode()):
            access.check_reading(request)
        file = console.find_report(rollout_id)
        if file is None:
            raise HTTPException(404, f"there is no report of rollout {rollout_id!r:.60}")
        headers = {"content-security-policy": REPORT_POLICY}
        return FileResponse(file, media_type="text/html", headers=headers)

    return router


def _make_acting(console: Console, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api/actions", dependencies=[Depends(access.check_acting)])

    @router.post("/{kind}", status_code=202)
    async def act(kind: ActionKind) -> dict[str, str]:
        return dict(await console.act(kind, who=f"{console.engine.name_asker()} (dashboard)"))

    return router


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.setdefault("content-security-policy", PAGE_POLICY)
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["cache-control"] = "no-store"
    return response


async def _explain(request: Request, fault: Exception) -> Response:
    del request
    status = {NothingToDo: 409, TooManyWatchers: 503}.get(type(fault), 500)
    return JSONResponse({"detail": str(fault)}, status_code=status)
