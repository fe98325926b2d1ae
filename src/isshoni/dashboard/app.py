"""The dashboard's web application: its page, state, history and logs."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles

from isshoni.bad_requests import explain_bad_requests
from isshoni.dashboard.access import Access
from isshoni.dashboard.acting import make_acting
from isshoni.dashboard.console import Console
from isshoni.dashboard.errors import NotAllowed, UnfitVersion
from isshoni.dashboard.feed import Feed, TooManyWatchers
from isshoni.dashboard.reasons import read_reasons
from isshoni.engine.errors import NothingToDo
from isshoni.errors import IsshoniError

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
STATUSES = {NothingToDo: 409, NotAllowed: 403, UnfitVersion: 422, TooManyWatchers: 503}
"""The HTTP status of each error; of all others 500."""


def create_app(console: Console, access: Access) -> FastAPI:
    """Return the application for one environment."""
    app = FastAPI(title="Isshoni dashboard", openapi_url=None, docs_url=None, redoc_url=None)
    app.middleware("http")(_add_headers)
    app.exception_handler(IsshoniError)(_explain)
    explain_bad_requests(app)

    @app.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    app.include_router(_make_reading(console, access))
    app.include_router(_make_reports(console, access))
    app.include_router(make_acting(console, access))
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

    @router.get("/permissions")
    async def permissions(request: Request) -> dict[str, bool]:
        acts = access.has_token(request)
        return {"acts": acts, "deploys": acts and console.allows_deploy}

    @router.get("/history")
    async def history(
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
        before: Annotated[str | None, Query(max_length=64)] = None,
    ) -> list[dict[str, Any]]:
        return await console.list_history(limit, before)

    @router.get("/history/{rollout_id}")
    async def records(rollout_id: str) -> list[dict[str, Any]]:
        return console.list_records(rollout_id)

    @router.get("/logs")
    async def log_names() -> dict[str, list[str]]:
        return {"names": list(console.logs.names())}

    @router.get("/logs/{name}")
    async def logs(
        name: str,
        lines: Annotated[int, Query(ge=1, le=2000)] = 100,
        find: Annotated[str, Query(max_length=200)] = "",
    ) -> dict[str, list[str]]:
        names = console.logs.names()
        if name not in names:
            raise HTTPException(404, f"there is no log {name!r:.60}, only: {', '.join(names)}")
        return {"lines": await console.search_log(name, lines, find)}

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
    reasons = [asdict(reason) for reason in read_reasons(str(fault))]
    body = {"detail": str(fault), "reasons": reasons}
    return JSONResponse(body, status_code=STATUSES.get(type(fault), 500))
