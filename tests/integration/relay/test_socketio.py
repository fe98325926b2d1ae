"""Stock Socket.IO clients of a Socket.IO chat move to another process of it, and back."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from isshoni.relay.core.moves import Failure
from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import run_programs, run_relay
from tests.integration.relay.test_moves import move_all
from tests.support.foreign_clients import FRONTEND
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS, ROOMS = 12, 3


def has_socket_io() -> bool:
    """True if this machine can run the npm packages."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules" / "socket.io").is_dir()


class Clients:
    """A Node process with stock clients in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def order(self, line: str) -> None:
        """Send an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def report(self) -> list[dict[str, Any]]:
        """Return what each client has sent and got."""
        self.order("report")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        members: list[dict[str, Any]] = json.loads(line)
        return members


@contextlib.asynccontextmanager
async def run_clients(port: int) -> AsyncIterator[Clients]:
    """Run the clients against a port."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "compat/socketio-clients.mjs",
        *(f"http://127.0.0.1:{port}", str(CLIENTS), str(ROOMS), "120"),
        cwd=FRONTEND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        yield Clients(process)
    finally:
        process.kill()
        await process.wait()


def start_server(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one process of the chat."""
    command = ["node", "compat/socketio-server.mjs", str(port)]
    return subprocess.Popen(command, env=environment, cwd=FRONTEND)


@pytest.mark.skipif(not has_socket_io(), reason="NOT RUN: no socket.io (npm ci in frontend)")
async def test_messages_attachments_and_acknowledgements_survive_two_moves(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        run_clients(doors.ports["blue"]) as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await _settle(clients, lambda members: all(m["hellos"] for m in members))
        clients.order("start")
        await asyncio.sleep(1.0)
        assert await move_all(doors, "blue", "green") == [None] * CLIENTS
        await asyncio.sleep(2.5)
        assert await move_all(doors, "green", "blue") == [None] * CLIENTS
        await asyncio.sleep(2.5)
        clients.order("stop")
        members = await _settle(clients, _has_everything)
        for member in members:
            wanted = _wanted(members, member)
            assert Counter(member["got"]) == Counter(wanted)
            for author in members:
                mine = [i for i in member["got"] if i.split(":")[0] == str(author["number"])]
                assert mine == (author["sent"] if author["room"] == member["room"] else [])
        assert [m["ends"] for m in members] == [0] * CLIENTS
        assert [m["hellos"] for m in members] == [1] * CLIENTS
        assert [m["broken"] for m in members] == [0] * CLIENTS
        assert all(m["questions"] for m in members)


def _wanted(members: list[dict[str, Any]], member: dict[str, Any]) -> list[str]:
    return [i for other in members if other["room"] == member["room"] for i in other["sent"]]


def _has_everything(members: list[dict[str, Any]]) -> bool:
    return all(
        len(m["got"]) >= len(_wanted(members, m)) and m["acknowledged"] == len(m["sent"])
        for m in members
    )


async def _settle(clients: Clients, condition: Any) -> list[dict[str, Any]]:
    for _ in range(300):
        members = await clients.report()
        if condition(members):
            return members
        await asyncio.sleep(0.1)
    return members


@pytest.mark.skipif(not has_socket_io(), reason="NOT RUN: no socket.io (npm ci in frontend)")
async def test_a_transport_that_began_as_long_polling_stays_where_it_is(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        httpx.AsyncClient() as http,
    ):
        address = f"127.0.0.1:{doors.ports['blue']}/socket.io/?EIO=4&transport="
        opened = await http.get(f"http://{address}polling")
        sid = json.loads(opened.text[1:])["sid"]
        async with websockets.connect(f"ws://{address}websocket&sid={sid}") as socket:
            await socket.send("2probe")
            assert await asyncio.wait_for(socket.recv(), 30) == "3probe"
            await socket.send("5")
            assert await move_all(doors, "blue", "green") == [Failure.PROTOCOL]
            await socket.send('40{"room":"r0"}')
            answer = str(await asyncio.wait_for(socket.recv(), 30))
            assert answer.startswith("40{")
