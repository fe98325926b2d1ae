"""The chat of examples/python-socketio, one process of which lags behind the other.

REDIS_URL and COLOUR come from the environment, and BEHIND_SECONDS: how much later blue handles what
it reads from Redis. As with every process of python-socketio, its own messages do not wait.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import socketio


class LateManager(socketio.AsyncRedisManager):  # type: ignore[misc]
    """A manager whose messages wait, in order, as in a program that is overloaded."""

    async def _listen(self) -> AsyncIterator[Any]:
        came: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()
        seconds = float(os.environ["BEHIND_SECONDS"])

        async def read() -> None:
            async for message in super(LateManager, self)._listen():
                came.put_nowait((time.monotonic() + seconds, message))

        self.reading = asyncio.create_task(read())
        while True:
            due, message = await came.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield message


make_manager = LateManager if os.environ["COLOUR"] == "blue" else socketio.AsyncRedisManager
sio = socketio.AsyncServer(async_mode="asgi", client_manager=make_manager(os.environ["REDIS_URL"]))


@sio.on("chat message")  # type: ignore[untyped-decorator]
async def chat_message(sid: str, message: str) -> None:
    await sio.emit("chat message", message)


async def root(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer any other request with the colour."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = json.dumps(os.environ["COLOUR"]).encode()
        await send({"type": "http.response.body", "body": body})


app = socketio.ASGIApp(sio, root)
