"""The chat of frontend/compat/socketio-server.mjs on python-socketio, with its Redis manager.

REDIS_URL and COLOUR come from the environment: `uvicorn tests.support.socketio_chat:app`.
"""

import asyncio
import contextlib
import json
import os
from typing import Any

import socketio

QUESTION_SECONDS = 0.4

manager = socketio.AsyncRedisManager(os.environ["REDIS_URL"])
sio = socketio.AsyncServer(
    async_mode="asgi", client_manager=manager, ping_interval=0.7, ping_timeout=20
)
rooms: dict[str, str] = {}
asking: dict[str, "asyncio.Task[None]"] = {}


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
    rooms[sid] = auth["room"]
    await sio.enter_room(sid, auth["room"])
    await sio.emit("hello", os.environ["COLOUR"], to=sid)
    asking[sid] = asyncio.create_task(_ask(sid))


async def _ask(sid: str) -> None:
    while True:
        await asyncio.sleep(QUESTION_SECONDS)
        with contextlib.suppress(socketio.exceptions.TimeoutError):
            await sio.call("question", 1, to=sid, timeout=5)


@sio.event  # type: ignore[untyped-decorator]
async def message(sid: str, id: str, data: bytes) -> str:
    await sio.emit("message", (id, data), room=rooms[sid])
    return "ok"


@sio.event  # type: ignore[untyped-decorator]
async def disconnect(sid: str, reason: str) -> None:
    rooms.pop(sid, None)
    if (task := asking.pop(sid, None)) is not None:
        task.cancel()


@sio.on("connect", namespace="/news")  # type: ignore[untyped-decorator]
async def connect_news(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
    await sio.enter_room(sid, auth["room"], namespace="/news")
    await sio.save_session(sid, auth, namespace="/news")


@sio.on("news", namespace="/news")  # type: ignore[untyped-decorator]
async def news(sid: str, id: str) -> None:
    session = await sio.get_session(sid, namespace="/news")
    await sio.emit("news", id, room=session["room"], namespace="/news")


async def root(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer any other request with the colour; a WebSocket is refused."""
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = json.dumps(os.environ["COLOUR"]).encode()
    await send({"type": "http.response.body", "body": body})


app = socketio.ASGIApp(sio, root)
