"""A scripted server, a recorder, and a client between them."""

from collections.abc import AsyncIterator

import pytest

from isshoni.client import SessionClient
from tests.integration.client.recorder import QUICK, Recorder
from tests.integration.client.scripted_server import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def client(server: ScriptedServer, recorder: Recorder) -> AsyncIterator[SessionClient]:
    async with SessionClient(
        server.url, "team", client_id="me", listener=recorder, settings=QUICK
    ) as client:
        assert await client.wait_until_restored(5)
        yield client
