"""The clients of frontend/compat/socketio-clients.mjs on python-socketio.

python -m tests.support.socketio_clients URL COUNT ROOMS EVERY_MS
"""

import asyncio
import json
import sys
from typing import Any

import socketio


class Member:
    """A stock client with two namespaces on one socket."""

    def __init__(self, number: int, rooms: int) -> None:
        self.room = f"r{number % rooms}"
        self.report: dict[str, Any] = {
            **{"number": number, "room": self.room, "sent": [], "got": []},
            **{"sentNews": [], "gotNews": [], "acknowledged": 0, "questions": 0},
            **{"hellos": 0, "ends": 0, "broken": 0},
        }
        self._client = client = socketio.AsyncClient()
        client.on("disconnect", lambda *_: self._count("ends"))
        client.on("disconnect", lambda *_: self._count("ends"), namespace="/news")
        client.on("hello", lambda *_: self._count("hellos"))
        client.on("question", self._question)
        client.on("message", self._message)
        client.on("news", self.report["gotNews"].append, namespace="/news")

    def _count(self, name: str) -> None:
        self.report[name] += 1

    async def _question(self, value: int) -> int:
        self._count("questions")
        await asyncio.sleep(0.01)
        return value

    def _message(self, id: str, data: bytes) -> None:
        self.report["got"].append(id)
        self.report["broken"] += len(data) != 3

    async def open(self, url: str) -> None:
        await self._client.connect(
            url, auth={"room": self.room}, namespaces=["/", "/news"], transports=["websocket"]
        )
        self.report["id"] = self._client.get_sid()

    async def send(self) -> None:
        id = f"{self.report['number']}:{len(self.report['sent'])}"
        self.report["sent"].append(id)
        await self._client.emit(
            "message", (id, b"\1\2\3"), callback=lambda *_: self._count("acknowledged")
        )
        self.report["sentNews"].append(id)
        await self._client.emit("news", id, namespace="/news")


async def main(url: str, count: str, rooms: str, every_ms: str) -> None:
    """Obey the orders on stdin: `start`, `stop`, `report`."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    members = [Member(number, int(rooms)) for number in range(int(count))]
    await asyncio.gather(*(member.open(url) for member in members))

    async def send() -> None:
        while True:
            for member in members:
                await member.send()
            await asyncio.sleep(int(every_ms) / 1000)

    sending: asyncio.Task[None] | None = None
    while line := (await reader.readline()).decode().strip():
        if line == "start":
            sending = asyncio.create_task(send())
        elif line == "stop" and sending is not None:
            sending.cancel()
        elif line == "report":
            print(json.dumps([member.report for member in members]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
