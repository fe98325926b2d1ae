"""Stock Phoenix clients move to another process, and back.

The server is our own, after the documentation of the serializer: see tests/support/phoenix_chat.
"""

import asyncio

import pytest

from isshoni.relay.core.profiles.names import PHOENIX
from tests.integration.relay.conftest import run_app, run_programs, run_relay
from tests.integration.relay.foreign_clients import (
    Clients,
    Report,
    assert_each_got_everything_once,
    has_everything,
    has_package,
)
from tests.integration.relay.test_moves import move_all_in_time
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS, ROOMS = 8, 2


@pytest.mark.skipif(not has_package("phoenix"), reason="NOT RUN: no phoenix (npm ci in frontend)")
async def test_pushes_replies_and_broadcasts_survive_two_moves(chat_redis: ValkeyServer) -> None:
    async with (
        run_programs(run_app("tests.support.phoenix_chat:app"), chat_redis.url) as programs,
        run_relay(programs, PHOENIX) as doors,
        Clients.run(
            "node",
            "compat/phoenix-clients.mjs",
            *(f"ws://127.0.0.1:{doors.ports['blue']}/socket", str(CLIENTS), str(ROOMS), "120"),
        ) as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await clients.settle(lambda report: all(m["hellos"] == 2 for m in report))
        clients.order("start")
        await asyncio.sleep(0.5)
        await move_all_in_time(doors, "blue", "green")
        await asyncio.sleep(0.7)
        await move_all_in_time(doors, "green", "blue")
        await asyncio.sleep(0.7)
        clients.order("stop")
        report = await clients.settle(_has_everything)
        assert [m["ends"] for m in report] == [0] * CLIENTS
        assert_each_got_everything_once(report)
        assert_each_got_everything_once(report, "sentNews", "gotNews")
        assert [m["hellos"] for m in report] == [2] * CLIENTS
        assert [m["replies"] for m in report] == [2 * len(m["sent"]) for m in report]
        assert [m["refused"] for m in report] == [0] * CLIENTS


def _has_everything(report: Report) -> bool:
    return (
        has_everything(report)
        and has_everything(report, "sentNews", "gotNews")
        and all(m["replies"] == 2 * len(m["sent"]) for m in report)
    )
