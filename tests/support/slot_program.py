"""A small program for a slot: readiness, an echoing WebSocket, a thin admin API.

`python -m tests.support.slot_program PORT ADMIN_PORT COLOUR`. Its behaviour can be bent
through files in the directory that TEST_SLOT_DIR names: `COLOUR.sick` fails readiness,
`COLOUR.rude` answers the admin API with nonsense, `COLOUR.refuse` answers upgrades with 503.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from isshoni.session.server.share import is_in_share

COLOUR = ""
sockets: set[WebSocket] = set()
migration: dict[str, object] | None = None


def told_to(behaviour: str) -> bool:
    return Path(os.environ.get("TEST_SLOT_DIR", "/nowhere"), f"{COLOUR}.{behaviour}").exists()


async def ready(request: Request) -> Response:
    return PlainTextResponse(COLOUR, status_code=503 if told_to("sick") else 200)


async def hold(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def fail(request: Request) -> Response:
    return PlainTextResponse("broken", status_code=500)


async def echo(socket: WebSocket) -> None:
    if told_to("refuse"):
        await socket.send_denial_response(PlainTextResponse("no", status_code=503))
        return
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            await socket.send_text(f"{COLOUR}:{await socket.receive_text()}")
    except WebSocketDisconnect:
        sockets.discard(socket)


def allowed(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {os.environ['ISSHONI_ADMIN_TOKEN']}"


async def status(request: Request) -> Response:
    if told_to("rude"):
        return PlainTextResponse('{"version": 7, "connections": "many"')
    if not allowed(request):
        return Response(status_code=401)
    return JSONResponse(
        {
            "version": os.environ["ISSHONI_VERSION"],
            "colour": COLOUR,
            "state": "serving",
            "ready": True,
            "not_ready_reason": None,
            "connections": len(sockets),
            "sessions": len(sockets),
            "counters": {"connections_opened": len(sockets)},
            "gauges": {"cpu_pct": 1.5},
            "migration": migration,
        }
    )


async def proof(request: Request) -> Response:
    if not allowed(request):
        return Response(status_code=401)
    whole = {"redis": True, "latency_ms": 0.4, "sampled": 3, "readable": 3, "fault": None}
    return JSONResponse(whole)


async def migrate(request: Request) -> Response:
    global migration
    if not allowed(request):
        return Response(status_code=401)
    order = json.loads(await request.body())
    share = order.get("share_pct", 100)
    leaving = [s for s in sockets if is_in_share(s.path_params["session_id"], share)]
    for socket in leaving:
        await socket.close(1012)
    moved = len(leaving)
    counts = {"told": moved, "moved": moved, "closed": 0, "remaining": 0, "done": True}
    pace = {"rate_per_second": order["rate_per_second"], "share_pct": share}
    migration = {"to": order["to"], **pace, **counts}
    return Response(status_code=202)


async def cancel(request: Request) -> Response:
    global migration
    migration = None
    return Response(status_code=200)


async def main(port: int, admin_port: int) -> None:
    public = Starlette(
        routes=[
            Route("/readyz", ready),
            Route("/healthz", ready),
            Route("/fail", fail),
            Route("/hold", hold),
            Route("/", ready),
            WebSocketRoute("/ws/{session_id}", echo),
        ]
    )
    admin = Starlette(
        routes=[
            Route("/admin/status", status),
            Route("/admin/proof", proof),
            Route("/admin/migrate", migrate, methods=["POST"]),
            Route("/admin/migrate/cancel", cancel, methods=["POST"]),
        ]
    )
    print(f"{COLOUR} serves on {port}", flush=True)
    servers = [
        uvicorn.Server(
            uvicorn.Config(
                app,
                host=os.environ["ISSHONI_HOST"],
                port=number,
                log_level="warning",
                ws="websockets-sansio",
                lifespan="off",
            )
        )
        for app, number in ((public, port), (admin, admin_port))
    ]
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    COLOUR = sys.argv[3]
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
