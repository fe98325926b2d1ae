"""A python-socketio chat with its Redis manager.

`uvicorn socketio_chat:app`, with REDIS_URL set. Settings: WebSocket only, no compression, orjson,
a pool of connections to Redis that is large enough.
"""

import os
from typing import Any

import orjson
import socketio


class Json:
    """The module `json` with orjson's speed, as python-socketio wants it."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        """Return a value as JSON."""
        text: str = orjson.dumps(value).decode()
        return text

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """Return the value of JSON."""
        return orjson.loads(text)


server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(
        os.environ["REDIS_URL"], redis_options={"max_connections": 1000}
    ),
    transports=["websocket"],
    http_compression=False,
    json=Json,
)
rooms: dict[str, str] = {}


@server.on("join")
async def join(sid: str, room: str) -> None:
    """Add a client to a room."""
    rooms[sid] = room
    await server.enter_room(sid, room)
    await server.emit("joined", to=sid)


@server.on("chat")
async def chat(sid: str, text: str) -> str:
    """Send a text to every client of the sender's room."""
    await server.emit("chat", text, room=rooms[sid])
    return "ok"


@server.on("disconnect")
async def disconnect(sid: str, *_: Any) -> None:
    """Remove a client that is gone."""
    rooms.pop(sid, None)


async def health(scope: Any, receive: Any, send: Any) -> None:
    """Answer a health check; serve nothing else."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


app = socketio.ASGIApp(server, other_asgi_app=health)
