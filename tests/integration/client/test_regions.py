"""A client that knows of another region: it goes there when its own fails, and when it is asked."""

import socket
import time
from collections.abc import AsyncIterator

import pytest

from isshoni.client import SessionClient
from isshoni.client.listener import ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.session.backoff import BackoffPolicy
from tests.integration.client.recorder import Recorder
from tests.integration.client.scripted_server import ScriptedServer
from tests.support.waiting import wait_until

SLOW_ROUNDS = ClientSettings(
    backoff=BackoffPolicy(first_seconds=0.01, longest_seconds=60.0, factor=6000.0),
    alternative_timeout_seconds=0.3,
)
"""A pause after a whole round would be far longer than the tests wait."""


@pytest.fixture
async def other() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as other:
        yield other


def http(server: ScriptedServer) -> str:
    return server.url.replace("ws://", "http://")


async def test_a_client_whose_region_is_gone_tries_the_other_at_once(
    server: ScriptedServer, other: ScriptedServer, recorder: Recorder
) -> None:
    server.more_restored = {"alternatives": [http(other)], "region_proof": "4.east.mac"}
    async with SessionClient(
        server.url, "team", client_id="me", listener=recorder, settings=SLOW_ROUNDS
    ) as client:
        assert await client.wait_until_restored(30)
        server.die()
        await server.stop_listening()
        await wait_until(lambda: bool(other.peers), "the client comes to the other region")
        assert await client.wait_until_restored(30)
        [peer] = other.peers
        assert peer.restores[0]["region_proof"] == "4.east.mac"
        assert "regions" in peer.restores[0]["can"]


async def test_a_silent_address_costs_the_short_timeout_only(other: ScriptedServer) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        home = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        async with SessionClient(
            home, "team", settings=SLOW_ROUNDS, alternatives=[http(other)]
        ) as client:
            assert await client.wait_until_restored(30)
        assert time.monotonic() - began < 30


async def test_a_move_to_another_region_is_made_before_the_connection_is_closed(
    server: ScriptedServer, other: ScriptedServer, recorder: Recorder
) -> None:
    async with SessionClient(
        server.url, "team", client_id="me", listener=recorder, settings=SLOW_ROUNDS
    ) as client:
        assert await client.wait_until_restored(30)
        [peer] = server.peers
        await peer.send(
            {
                "type": "migrate",
                "to": "west",
                "ticket": "t",
                "within_ms": 5000,
                "address": http(other),
            }
        )
        await wait_until(
            lambda: recorder.changes[-1].state is ConnectionState.MOVED, "the client has moved"
        )
        [there] = other.peers
        assert (there.ticket, there.target) == ("t", None)
        assert recorder.changes[-1].gap_seconds == 0.0
        client.send_chat("hello")
        assert await client.wait_until_saved(30)
        assert there.chats
