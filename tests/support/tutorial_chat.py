"""A chat as tutorials write it: FastAPI, rooms in memory, Redis pub/sub between processes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis.asyncio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

server = redis.asyncio.from_url(os.environ["REDIS_URL"], decode_responses=True)
rooms: dict[str, set[WebSocket]] = {}


async def listen() -> None:
    """Send what is published in a room to its members here."""
    pubsub = server.pubsub()
    await pubsub.psubscribe("chat:*")
    async for message in pubsub.listen():
        if message["type"] == "pmessage":
            for member in list(rooms.get(message["channel"][len("chat:") :], ())):
                with suppress(RuntimeError, WebSocketDisconnect):  # it is leaving just now
                    await member.send_text(message["data"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Listen to Redis while the program serves."""
    task = asyncio.create_task(listen())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def colour() -> str:
    """Return the name of this process."""
    return os.environ["COLOUR"]


@app.websocket("/ws/{room}")
async def chat(member: WebSocket, room: str) -> None:
    """Publish what a member sends."""
    await member.accept(subprotocol="chat" if "chat" in member.scope["subprotocols"] else None)
    rooms.setdefault(room, set()).add(member)
    try:
        while True:
            await server.publish(f"chat:{room}", await member.receive_text())
    except (WebSocketDisconnect, RuntimeError):
        pass  # it left
    finally:
        rooms[room].discard(member)
