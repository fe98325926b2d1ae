"""A pycrdt-websocket server as its users run it; its provider factory joins two processes.

Rooms are in memory. Each room has a provider, as the library's documentation shows it, whose
channel is a Redis channel: so a document of one process follows that of the other.

Two faults of the library are kept away: clients that open a room at the same moment would wait for
ever, and the error of a send to a client that is just coming or leaving would end the room.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from logging import Logger
from typing import Any, cast
from uuid import uuid4

import redis.asyncio
from fastapi import FastAPI
from pycrdt import Channel, Doc, Provider
from pycrdt.websocket import ASGIServer, WebsocketServer
from starlette.types import Message, Receive, Scope, Send

server = redis.asyncio.from_url(os.environ["REDIS_URL"])
OWN = uuid4().bytes


class RedisChannel(Channel):
    """The messages of one room between processes."""

    def __init__(self, path: str) -> None:
        self._path = f"pycrdt:{path}"
        self._pubsub = server.pubsub()

    @property
    def path(self) -> str:
        return self._path

    async def send(self, message: bytes) -> None:
        await server.publish(self._path, OWN + message)

    async def recv(self) -> bytes:
        if not self._pubsub.subscribed:
            await self._pubsub.subscribe(self._path)
        async for message in self._pubsub.listen():
            if message["type"] == "message" and not message["data"].startswith(OWN):
                data: bytes = message["data"][len(OWN) :]
                return data
        raise StopAsyncIteration

    async def __anext__(self) -> bytes:
        return await self.recv()


def make_provider(
    doc: Doc[Any] | None = None, log: Logger | None = None, path: str | None = None
) -> Provider:
    """Return what joins a room's document to that of the other process."""
    assert doc is not None
    assert path is not None
    return Provider(doc, RedisChannel(path), log)


rooms = WebsocketServer(provider_factory=make_provider)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Serve rooms while the program runs."""
    async with rooms:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def colour() -> str:
    """Return the name of this process, if it has one."""
    return os.environ.get("COLOUR", "")


serve = ASGIServer(rooms)
opening = asyncio.Lock()


async def serve_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one client."""

    async def send_if_there(message: Message) -> None:
        # ClientDisconnected is an OSError; uvicorn raises the other one for a client that is gone
        # before it was accepted.
        with suppress(OSError, RuntimeError):
            await send(message)

    async with opening:
        await rooms.get_room(scope["path"])
    await cast(Any, serve)(scope, receive, send_if_there)


app.mount("/ws", serve_websocket)
