"""A plain FastAPI chat with Redis publish/subscribe, as the tutorials have it, at its best.

`uvicorn fastapi_chat:app`, with REDIS_URL set. What is beyond the tutorial: one subscription a
process instead of one a client, hiredis, a pool of connections that is large enough, and the
text of a message goes on as it came.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import redis.asyncio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

CHANNEL = "fastapi-chat:"
connection = redis.asyncio.from_url(os.environ["REDIS_URL"], max_connections=1000)
rooms: dict[str, set[WebSocket]] = {}


async def deliver() -> None:
    """Send what is published to every client of its room."""
    subscription = connection.pubsub()
    await subscription.psubscribe(CHANNEL + "*")
    async for message in subscription.listen():
        if message["type"] == "pmessage":
            room = message["channel"].decode().removeprefix(CHANNEL)
            text = message["data"].decode()
            for client in list(rooms.get(room, ())):
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await client.send_text(text)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Subscribe for as long as the process runs."""
    task = asyncio.create_task(deliver())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def health() -> str:
    """Answer a health check."""
    return "ok"


@app.websocket("/ws/{room}")
async def chat(client: WebSocket, room: str) -> None:
    """Publish what a client sends, until it goes."""
    await client.accept()
    rooms.setdefault(room, set()).add(client)
    try:
        await client.send_text('{"joined":true}')
        async for text in client.iter_text():
            await connection.publish(CHANNEL + room, text)
    finally:
        rooms[room].discard(client)
