"""Stock Socket.IO clients of a Socket.IO chat move to another process of it, and back."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from isshoni.relay.core.moves import Failure
from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import Start, run_app, run_programs, run_relay
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
async def run_clients(port: int, library: str = "node", **settings: str) -> AsyncIterator[Clients]:
    """Run the clients against a port."""
    scripts = {
        "node": (["node", "compat/socketio-clients.mjs"], FRONTEND),
        "python": ([sys.executable, "-m", "tests.support.socketio_clients"], FRONTEND.parent),
    }
    command, folder = scripts[library]
    process = await asyncio.create_subprocess_exec(
        *command,
        *(f"http://127.0.0.1:{port}", str(CLIENTS), str(ROOMS), "120"),
        cwd=folder,
        env=os.environ | settings,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        yield Clients(process)
    finally:
        process.kill()
        await process.wait()


def node_server(**settings: str) -> Start:
    """Return what starts a process of the chat on Node."""

    def start(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = ["node", "compat/socketio-server.mjs", str(port)]
        return subprocess.Popen(command, env=environment | settings, cwd=FRONTEND)

    return start


PYTHON_SERVER = run_app("tests.support.socketio_chat:app")


@pytest.mark.skipif(not has_socket_io(), reason="NOT RUN: no socket.io (npm ci in frontend)")
@pytest.mark.parametrize(
    ("server", "library"),
    [
        pytest.param(node_server(), "node", id="node"),
        pytest.param(node_server(RECOVERY="1"), "node", id="node-with-recovery"),
        pytest.param(node_server(), "python", id="node-python-clients"),
        pytest.param(PYTHON_SERVER, "node", id="python"),
        pytest.param(PYTHON_SERVER, "python", id="python-python-clients"),
    ],
)
async def test_messages_attachments_and_acknowledgements_survive_two_moves(
    chat_redis: ValkeyServer, server: Start, library: str
) -> None:
    async with (
        run_programs(server, chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        run_clients(doors.ports["blue"], library) as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await _settle(clients, lambda members: all(m["hellos"] for m in members))
        clients.order("start")
        await asyncio.sleep(0.5)
        assert await move_all(doors, "blue", "green") == [None] * CLIENTS
        await asyncio.sleep(1.2)
        assert await move_all(doors, "green", "blue") == [None] * CLIENTS
        await asyncio.sleep(1.2)
        clients.order("stop")
        members = await _settle(clients, _has_everything)
        assert [m["ends"] for m in members] == [0] * CLIENTS
        assert_each_got_everything_once(members, "sent", "got")
        assert_each_got_everything_once(members, "sentNews", "gotNews")
        assert [m["acknowledged"] for m in members] == [len(m["sent"]) for m in members]
        assert [m["hellos"] for m in members] == [1] * CLIENTS
        assert [m["broken"] for m in members] == [0] * CLIENTS
        assert all(m["questions"] for m in members)


def assert_each_got_everything_once(members: list[dict[str, Any]], sent: str, got: str) -> None:
    """Fail if a message is lost, doubled, or came out of its author's order."""
    for member in members:
        assert Counter(member[got]) == Counter(_wanted(members, member, sent))
        for author in members:
            mine = [i for i in member[got] if i.split(":")[0] == str(author["number"])]
            assert mine == (author[sent] if author["room"] == member["room"] else [])


@pytest.mark.skipif(not has_socket_io(), reason="NOT RUN: no socket.io (npm ci in frontend)")
async def test_a_client_with_another_parser_stays_where_it_is(chat_redis: ValkeyServer) -> None:
    async with (
        run_programs(node_server(PARSER="msgpack"), chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        run_clients(doors.ports["blue"], PARSER="msgpack") as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await _settle(clients, lambda members: all(m["hellos"] for m in members))
        assert await move_all(doors, "blue", "green") == [Failure.PROTOCOL] * CLIENTS
        members = await clients.report()
        assert [m["ends"] for m in members] == [0] * CLIENTS


def _wanted(members: list[dict[str, Any]], member: dict[str, Any], sent: str) -> list[str]:
    return [i for other in members if other["room"] == member["room"] for i in other[sent]]


def _has_everything(members: list[dict[str, Any]]) -> bool:
    return all(
        len(m["got"]) >= len(_wanted(members, m, "sent"))
        and len(m["gotNews"]) >= len(_wanted(members, m, "sentNews"))
        and m["acknowledged"] == len(m["sent"])
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
        run_programs(node_server(), chat_redis.url) as programs,
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
