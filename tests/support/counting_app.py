"""A FastAPI application that counts a client's messages in the state of its connection."""

import os
from typing import Any, cast

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from isshoni.middleware import Connection, IsshoniMiddleware

api = FastAPI()


@api.get("/")
async def colour() -> str:
    """Return the name of this process."""
    return os.environ["COLOUR"]


@api.websocket("/ws")
async def count(client: WebSocket) -> None:
    """Answer each message with its number, and with where the client was before."""
    connection: Connection = client.scope["isshoni"]
    began_at = connection.state.get("n", 0)
    await client.accept()
    try:
        while True:
            text = await client.receive_text()
            connection.state["n"] = connection.state.get("n", 0) + 1
            number, before = connection.state["n"], connection.moved_from
            await client.send_text(f"{text} {number} {before} {began_at}")
    except WebSocketDisconnect:
        pass


app = cast(Any, IsshoniMiddleware)(api)
