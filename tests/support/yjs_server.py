"""A y-websocket server as its users run it: documents in memory, shared through Redis.

It does what `y-websocket/bin/utils` does: it answers a step 1 with step 2 and its own step 1,
passes updates on, and when a connection closes it announces that its client has left, with the
clock that it last had.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pycrdt
import redis.asyncio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import (
    Announcement,
    encode_awareness_states,
    parse_awareness,
)
from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    diff,
    make_awareness,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)

server = redis.asyncio.from_url(os.environ["REDIS_URL"])


class Room:
    """A document, its connections here, and the presence of all clients."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.members: dict[WebSocket, set[int]] = {}
        self.presence: dict[int, Announcement] = {}

    async def send(self, frame: bytes) -> None:
        """Send a frame to every connection here."""
        for member in list(self.members):
            with suppress(RuntimeError, WebSocketDisconnect):
                await member.send_bytes(frame)

    async def announce(self, news: list[Announcement]) -> list[Announcement]:
        """Store the announcements that are newer, send them on, and return them."""
        fresh = []
        for one in news:
            known = self.presence.get(one.client)
            leaves = one.state == b"null"
            if (
                known is None
                or one.clock > known.clock
                or (one.clock == known.clock and leaves and known.state != b"null")
            ):
                self.presence[one.client] = one
                fresh.append(one)
        if fresh:
            await self.send(make_awareness(encode_awareness_states(fresh)))
        return fresh


rooms: dict[str, Room] = {}


async def find_room(name: str) -> Room:
    """Return a room with what Redis has of its document."""
    room = rooms.get(name)
    if room is None:
        room = rooms[name] = Room(name)
        stored: list[Any] = await server.lrange(f"y:{name}", 0, -1)
        for update in stored:
            room.doc.apply_update(update)
    return room


async def listen() -> None:
    """Apply and send on what other processes publish."""
    pubsub = server.pubsub()
    await pubsub.psubscribe("y:*")
    async for message in pubsub.listen():
        if message["type"] != "pmessage":
            continue
        room = await find_room(message["channel"].decode()[2:])
        kind, body = message["data"][:1], message["data"][1:]
        if kind == b"u":
            room.doc.apply_update(body)
            await room.send(make_update(body))
        else:
            await room.announce(parse_awareness(body))


async def publish(room: Room, news: list[Announcement]) -> None:
    """Publish presence to the other processes."""
    if news:
        await server.publish(f"y:{room.name}", b"a" + encode_awareness_states(news))


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


@app.websocket("/ws/{name}")
async def sync(member: WebSocket, name: str) -> None:
    """Serve one y-websocket client."""
    await member.accept()
    room = await find_room(name)
    room.members[member] = set()
    await member.send_bytes(make_step1(room.doc))
    present = [one for one in room.presence.values() if one.state != b"null"]
    if present:
        await member.send_bytes(make_awareness(encode_awareness_states(present)))
    try:
        while True:
            await handle(room, member, await member.receive_bytes())
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        own = room.members.pop(member)
        left = [Announcement(c, room.presence[c].clock, b"null") for c in own]
        await publish(room, await room.announce(left))


async def handle(room: Room, member: WebSocket, data: bytes) -> None:
    """Handle one frame."""
    with suppress(ProtocolError):
        frame = parse_y_frame(data)
        if isinstance(frame, SyncStep1):
            await member.send_bytes(make_step2(diff(room.doc, frame.state)))
        elif isinstance(frame, SyncUpdate) and frame.carries_changes:
            await server.rpush(f"y:{room.name}", frame.update)
            await server.publish(f"y:{room.name}", b"u" + frame.update)
        elif isinstance(frame, AwarenessUpdate):
            fresh = await room.announce(parse_awareness(frame.payload))
            known = set().union(*room.members.values())
            room.members[member] |= {one.client for one in fresh} - known
            await publish(room, fresh)
