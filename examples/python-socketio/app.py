"""A chat with python-socketio: what one client says, all clients get.

The Redis manager is the one that its documentation asks for when there are several processes.
"""

import os
from typing import Any

import socketio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

manager = socketio.AsyncRedisManager(os.environ.get("REDIS_URL", "redis://localhost"))
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager)


@sio.on("chat message")
async def chat_message(sid: str, message: str) -> None:
    await sio.emit("chat message", message)


async def index(request: Request) -> FileResponse:
    return FileResponse("index.html")


pages = Starlette(routes=[Route("/", index)])
app: Any = socketio.ASGIApp(sio, pages)
