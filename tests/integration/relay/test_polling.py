"""Stock Socket.IO clients that begin as long polling, as they do by default."""

import asyncio
import contextlib

from isshoni.relay.core.moves import Timing
from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import run_programs, serve_relay
from tests.integration.relay.foreign_clients import (
    Clients,
    Report,
    assert_each_got_everything_once,
    has_everything,
)
from tests.integration.relay.test_moves import move_all, move_all_in_time
from tests.integration.relay.test_socketio import needs_socket_io, node_server
from tests.support.foreign_clients import FRONTEND
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS = 6
LATE = 1000
"""The order of one author across programs is that of the adapter."""
PATIENT = Timing(dial_seconds=30.0)
"""Here requests that wait for news pass the relay too; behind Envoy they do not."""


def run_polling(port: int, transports: str) -> contextlib.AbstractAsyncContextManager[Clients]:
    """Run stock clients with these transports against a port."""
    arguments = (f"http://127.0.0.1:{port}", str(CLIENTS), "2", "150", transports)
    return Clients.run("node", "compat/socketio-clients.mjs", *arguments, folder=FRONTEND)


def _has_all(members: Report) -> bool:
    return (
        has_everything(members)
        and has_everything(members, "sentNews", "gotNews")
        and all(m["acknowledged"] == len(m["sent"]) for m in members)
    )


@needs_socket_io
async def test_a_client_with_the_default_transports_moves_once_it_has_upgraded(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(node_server(), chat_redis.url) as programs,
        serve_relay(programs.ports, SOCKET_IO, PATIENT) as doors,
        run_polling(doors.ports["blue"], "polling,websocket") as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await clients.settle(lambda members: all(m["hellos"] for m in members))
        clients.order("start")
        await asyncio.sleep(0.5)
        await move_all_in_time(doors, "blue", "green")
        await asyncio.sleep(1.0)
        await move_all_in_time(doors, "green", "blue")
        await asyncio.sleep(1.0)
        clients.order("stop")
        members = await clients.settle(_has_all)
        assert [m["ends"] for m in members] == [0] * CLIENTS
        assert_each_got_everything_once(members, slack=LATE)
        assert_each_got_everything_once(members, "sentNews", "gotNews", slack=LATE)
        assert [m["acknowledged"] for m in members] == [len(m["sent"]) for m in members]
        assert [m["broken"] for m in members] == [0] * CLIENTS


@needs_socket_io
async def test_clients_that_only_poll_are_served_by_their_own_slot(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(node_server(), chat_redis.url) as programs,
        serve_relay(programs.ports, SOCKET_IO, PATIENT) as doors,
        run_polling(doors.ports["blue"], "polling") as clients,
    ):
        await clients.settle(lambda members: all(m["hellos"] for m in members))
        clients.order("start")
        doors.relay.set_share("blue", "green", 100.0)
        assert await move_all(doors, "blue", "green") == []
        await asyncio.sleep(1.0)
        clients.order("stop")
        members = await clients.settle(_has_all)
        assert [m["ends"] for m in members] == [0] * CLIENTS
        assert_each_got_everything_once(members, slack=LATE)
        assert [m["acknowledged"] for m in members] == [len(m["sent"]) for m in members]
