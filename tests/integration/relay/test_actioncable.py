"""Stock Action Cable clients of an Action Cable chat move to another process of it, and back."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from isshoni.relay.core.profiles.names import ACTION_CABLE
from tests.integration.relay.conftest import run_programs, run_relay
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
SERVER = Path(__file__).parents[2] / "support" / "cable.ru"


def has_action_cable() -> bool:
    """True if this machine can run Action Cable, with puma and a client of Redis."""
    if not shutil.which("puma") or not shutil.which("ruby"):
        return False
    libraries = ["ruby", "-raction_cable", "-rredis", "-e", ""]
    return subprocess.run(libraries, capture_output=True).returncode == 0


def start_server(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one process of the chat."""
    command = ["puma", "--silent", "-b", f"tcp://127.0.0.1:{port}", str(SERVER)]
    return subprocess.Popen(command, env=environment)


@pytest.mark.skipif(
    not has_package("@rails/actioncable") or not has_action_cable(),
    reason="NOT RUN: no Action Cable (apt-get install ruby-actioncable ruby-redis puma)",
)
async def test_subscriptions_and_broadcasts_survive_two_moves(chat_redis: ValkeyServer) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        run_relay(programs, ACTION_CABLE) as doors,
        Clients.run(
            "node",
            "compat/actioncable-clients.mjs",
            *(f"ws://127.0.0.1:{doors.ports['blue']}/cable", str(CLIENTS), str(ROOMS), "150"),
        ) as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await clients.settle(lambda report: all(m["connects"] == 2 for m in report))
        clients.order("start")
        await asyncio.sleep(0.5)
        await move_all_in_time(doors, "blue", "green")
        await asyncio.sleep(1.0)
        await move_all_in_time(doors, "green", "blue")
        await asyncio.sleep(1.0)
        clients.order("stop")
        report = await clients.settle(_has_everything)
        assert [m["ends"] for m in report] == [0] * CLIENTS
        # Rails handles a client's messages in several threads: it keeps no order, moves or not.
        assert_each_got_everything_once(report, slack=10)
        assert_each_got_everything_once(report, "sentNews", "gotNews", slack=10)
        assert [m["hellos"] for m in report] == [2] * CLIENTS
        assert [m["connects"] for m in report] == [2] * CLIENTS


def _has_everything(report: Report) -> bool:
    return has_everything(report) and has_everything(report, "sentNews", "gotNews")
