"""A state that an application keeps for a connection follows it from program to program."""

import asyncio

import pytest
import websockets

from tests.integration.relay.conftest import Doors, run_app, run_programs, run_relay
from tests.integration.relay.test_moves import move_all
from tests.support.valkey import ValkeyServer

HEADERS = {
    "X-Isshoni-Moved-From": "mars",
    "X-Isshoni-Relay": "0" * 32,
    "X-Isshoni-State": "eyJuIjo1MH0=.00",
}


async def ask(socket: websockets.ClientConnection, text: str) -> str:
    """Return the application's answer."""
    await socket.send(text)
    return str(await asyncio.wait_for(socket.recv(), 30))


async def move(doors: Doors, away: str, to: str) -> None:
    """Move every client of a colour."""
    assert await move_all(doors, away, to) == [None]


async def test_the_state_of_a_connection_follows_it_there_and_back(
    chat_redis: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSHONI_TICKET_SECRET", "one secret for all programs")
    async with (
        run_programs(run_app("tests.support.counting_app:app"), chat_redis.url) as programs,
        run_relay(programs) as doors,
        websockets.connect(
            f"ws://127.0.0.1:{doors.ports['blue']}/ws", additional_headers=HEADERS
        ) as socket,
    ):
        assert await ask(socket, "a") == "a 1 None 0"
        assert await ask(socket, "b") == "b 2 None 0"
        await move(doors, "blue", "green")
        assert await ask(socket, "c") == "c 3 blue 2"
        forged = "isshoni-state:" + "0" * 32 + ":eyJuIjo1MH0=.00"
        assert await ask(socket, forged) == f"{forged} 4 blue 2"
        await move(doors, "green", "blue")
        assert await ask(socket, "d") == "d 5 green 4"


async def test_without_a_secret_the_application_works_and_its_state_stays(
    chat_redis: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ISSHONI_TICKET_SECRET", raising=False)
    async with (
        run_programs(run_app("tests.support.counting_app:app"), chat_redis.url) as programs,
        run_relay(programs) as doors,
        websockets.connect(f"ws://127.0.0.1:{doors.ports['blue']}/ws") as socket,
    ):
        assert await ask(socket, "a") == "a 1 None 0"
        await move(doors, "blue", "green")
        assert await ask(socket, "b") == "b 1 blue 0"
