"""A chat that speaks Phoenix channels (serializer 2.0), after their documentation.

It is no Phoenix: none can be installed beside the tests. REDIS_URL and COLOUR come from the
environment: `uvicorn tests.support.phoenix_chat:app`.
"""

import asyncio
import contextlib
import json
import os
from typing import Any

import redis.asyncio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

COLOUR = os.environ["COLOUR"]
PUSH, REPLY, BROADCAST = 0, 1, 2

app = FastAPI()
database = redis.asyncio.from_url(os.environ["REDIS_URL"])


@app.get("/")
async def colour() -> str:
    return COLOUR


class Connection:
    """One client, and the topics that it has joined."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._pubsub = database.pubsub()
        self._joined: dict[str, str] = {}

    async def serve(self) -> None:
        """Answer the client until it leaves."""
        await self._pubsub.subscribe("phoenix")
        publishing = asyncio.create_task(self._publish())
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self._socket.receive())["type"] == "websocket.receive":
                if message.get("text") is not None:
                    await self._handle(*json.loads(message["text"]))
                else:
                    await self._handle_binary(message["bytes"])
        publishing.cancel()
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _publish(self) -> None:
        async for item in self._pubsub.listen():
            if item["type"] != "message":
                continue
            topic, event, payload, data = json.loads(item["data"])
            if topic not in self._joined:
                continue
            if data is None:
                await self._send(None, None, topic, event, payload)
            else:
                names = topic.encode(), event.encode()
                sizes = bytes([BROADCAST, *map(len, names)])
                await self._socket.send_bytes(sizes + b"".join(names) + data.encode())

    async def _send(self, *message: Any) -> None:
        await self._socket.send_text(json.dumps(message, separators=(",", ":")))

    async def _reply(self, join_ref: str | None, ref: str, topic: str, status: str = "ok") -> None:
        content = {"status": status, "response": {}}
        await self._send(join_ref, ref, topic, "phx_reply", content)

    async def _handle(
        self, join_ref: str | None, ref: str, topic: str, event: str, payload: dict[str, Any]
    ) -> None:
        if event == "phx_join":
            if topic == "room:closed":
                await self._reply(join_ref, ref, topic, "error")
                return
            self._joined[topic] = ref
            await self._reply(join_ref, ref, topic)
            await self._send(join_ref, None, topic, "hello", {"from": COLOUR})
        elif event == "phx_leave":
            del self._joined[topic]
            await self._reply(join_ref, ref, topic)
            await self._send(join_ref, ref, topic, "phx_close", {})
        elif topic == "phoenix":
            await self._reply(join_ref, ref, topic)
        elif self._joined.get(topic) != join_ref:
            await self._reply(join_ref, ref, topic, "error")
        else:
            await database.publish("phoenix", json.dumps([topic, event, payload, None]))
            if event != "quiet":
                await self._reply(join_ref, ref, topic)

    async def _handle_binary(self, message: bytes) -> None:
        sizes, at = message[1:5], 5
        names = []
        for size in sizes:
            names.append(message[at : at + size].decode())
            at += size
        join_ref, ref, topic, event = names
        await database.publish(
            "phoenix", json.dumps([topic, event, None, message[at:].decode("ascii")])
        )
        fields = [name.encode() for name in (join_ref, ref, topic, "ok")]
        await self._socket.send_bytes(bytes([REPLY, *map(len, fields)]) + b"".join(fields))


@app.websocket("/socket/websocket")
async def socket(socket: WebSocket) -> None:
    await socket.accept()
    await Connection(socket).serve()
