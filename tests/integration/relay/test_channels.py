"""Stock clients of the Django Channels tutorial's chat move to another process, and back."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import websockets

from isshoni.relay.core.profiles.names import CHANNELS
from tests.integration.relay.conftest import run_programs, run_relay
from tests.integration.relay.test_moves import (
    Member,
    assert_each_got_everything_once,
    crowd,
    expected,
    move_all_in_time,
)
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


class ChannelsMember(Member):
    """A client that speaks the tutorial's JSON."""

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in self.socket:
                self.got.append(json.loads(message)["message"])
        self.ended_with = self.socket.close_code

    async def send(self) -> None:
        """Send the next message."""
        text = f"{self.name}:{len(self.sent)}"
        self.sent.append(text)
        await self.socket.send(json.dumps({"message": text}))


def start_server(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one process of the chat."""
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
    command += ["tests.support.channels_chat:app"]
    return subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize("moves", [False, True], ids=["control", "moved"])
async def test_clients_move_there_and_back_and_nothing_is_lost_or_doubled(
    chat_redis: ValkeyServer, moves: bool
) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        run_relay(programs, CHANNELS) as doors,
        crowd(doors.ports["blue"], ChannelsMember) as members,
    ):
        talking = asyncio.create_task(_talk(members))
        await asyncio.sleep(0.5)
        if moves:
            await move_all_in_time(doors, "blue", "green")
            await asyncio.sleep(0.5)
            await move_all_in_time(doors, "green", "blue")
        talking.cancel()
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)


async def _talk(members: list[Member]) -> None:
    """Let the members send 20 messages a second: the layer itself loses some at 400."""
    while True:
        for member in members:
            await member.send()
            await asyncio.sleep(0.05)
