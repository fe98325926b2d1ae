"""Stock Socket.IO clients of a Socket.IO chat move to another process of it, and back."""

import asyncio
import contextlib
import json
import subprocess
import sys

import httpx
import pytest
import websockets

from isshoni.relay.core.moves import Failure
from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import Start, run_app, run_programs, run_relay
from tests.integration.relay.foreign_clients import (
    Clients,
    Report,
    assert_each_got_everything_once,
    has_everything,
    has_package,
)
from tests.integration.relay.test_moves import move_all, move_all_in_time
from tests.support.foreign_clients import FRONTEND
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS, ROOMS = 8, 2
needs_socket_io = pytest.mark.skipif(
    not has_package("socket.io"), reason="NOT RUN: no socket.io (npm ci in frontend)"
)


def run_clients(
    port: int, library: str = "node", **settings: str
) -> contextlib.AbstractAsyncContextManager[Clients]:
    """Run the clients against a port."""
    scripts = {
        "node": (["node", "compat/socketio-clients.mjs"], FRONTEND),
        "python": ([sys.executable, "-m", "tests.support.socketio_clients"], FRONTEND.parent),
    }
    command, folder = scripts[library]
    arguments = (f"http://127.0.0.1:{port}", str(CLIENTS), str(ROOMS), "150")
    return Clients.run(*command, *arguments, folder=folder, settings=settings)


def node_server(**settings: str) -> Start:
    """Return what starts a process of the chat on Node."""

    def start(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = ["node", "compat/socketio-server.mjs", str(port)]
        return subprocess.Popen(command, env=environment | settings, cwd=FRONTEND)

    return start


PYTHON_SERVER = run_app("tests.support.socketio_chat:app")


@needs_socket_io
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
        await clients.settle(lambda members: all(m["hellos"] for m in members))
        clients.order("start")
        await asyncio.sleep(0.5)
        await move_all_in_time(doors, "blue", "green")
        await asyncio.sleep(1.2)
        await move_all_in_time(doors, "green", "blue")
        await asyncio.sleep(1.2)
        clients.order("stop")
        members = await clients.settle(_has_everything)
        assert [m["ends"] for m in members] == [0] * CLIENTS
        # What a program reads late from Redis may come after what the other one has sent.
        assert_each_got_everything_once(members, slack=2)
        assert_each_got_everything_once(members, "sentNews", "gotNews", slack=2)
        assert [m["acknowledged"] for m in members] == [len(m["sent"]) for m in members]
        assert [m["hellos"] for m in members] == [1] * CLIENTS
        assert [m["broken"] for m in members] == [0] * CLIENTS
        assert all(m["questions"] for m in members)


@needs_socket_io
async def test_a_client_with_another_parser_stays_where_it_is(chat_redis: ValkeyServer) -> None:
    async with (
        run_programs(node_server(PARSER="msgpack"), chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        run_clients(doors.ports["blue"], PARSER="msgpack") as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await clients.settle(lambda members: all(m["hellos"] for m in members))
        assert await move_all(doors, "blue", "green") == [Failure.PROTOCOL] * CLIENTS
        members = await clients.report()
        assert [m["ends"] for m in members] == [0] * CLIENTS


def _has_everything(members: Report) -> bool:
    return (
        has_everything(members)
        and has_everything(members, "sentNews", "gotNews")
        and all(m["acknowledged"] == len(m["sent"]) for m in members)
    )


@needs_socket_io
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
