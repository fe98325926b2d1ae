"""Stock Socket.IO clients move from a process that is seconds behind the other one."""

import asyncio

import pytest

from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import run_app, run_programs, run_relay
from tests.support.example_crowd import (
    Ledger,
    NodeCrowd,
    Size,
    has_node_clients,
    hears_all,
    judge,
    settle,
)
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS, SHARE = 12, 4
BEHIND_SECONDS = 2.0


@pytest.mark.skipif(not has_node_clients(), reason="NOT RUN: no socket.io (npm ci in frontend)")
async def test_nothing_is_lost_with_an_old_program_that_reads_messages_of_the_new_one_late(
    chat_redis: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHIND_SECONDS", str(BEHIND_SECONDS))
    async with (
        run_programs(run_app("tests.support.late_socketio:app"), chat_redis.url) as programs,
        run_relay(programs, SOCKET_IO) as doors,
        NodeCrowd.run(
            "socket.io", f"http://127.0.0.1:{doors.ports['blue']}", Size(CLIENTS, 1, 0.4)
        ) as crowd,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await crowd.start()
        clients = doors.relay.clients_of("blue")
        # The first ones talk on green while the others are still on blue.
        for group in (clients[:SHARE], clients[SHARE:]):
            for client in group:
                doors.relay.arm(client)
            await asyncio.sleep(0.3)
            moves = [doors.relay.move(client, "green") for client in group]
            assert await asyncio.gather(*moves) == [None] * len(group)
        await crowd.stop()
        members = await settle(crowd, hears_all)
        assert judge(members, hears_all) == Ledger(lost=0, doubled=0, reordered=0, ends=0)
