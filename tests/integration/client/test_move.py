"""Make before break, and every way in which it can fail."""

import pytest

from isshoni.client import SessionClient
from tests.integration.client.recorder import Recorder
from tests.integration.client.scripted_server import ScriptedServer
from tests.integration.client.test_client import (  # noqa: F401
    LOST,
    MOVED,
    QUICK,
    RESTORED,
    client,
    recorder,
    server,
)

pytestmark = pytest.mark.spec("B2")


async def test_a_move_breaks_nothing(
    server: ScriptedServer,
    client: SessionClient,
    recorder: Recorder,  # noqa: F811
) -> None:
    await server.migrate("green")
    await recorder.until(lambda: MOVED in recorder.states)
    old, new = server.peers
    await server.until(lambda: server.open == [new])
    assert recorder.states == [RESTORED, MOVED]
    assert server.most_open == 2
    assert (new.target, new.ticket) == ("green", "t-1+/=")
    assert new.restores[0]["generation"] == 2
    assert old.close_code == 1000
    moved = recorder.changes[-1]
    assert (moved.gap_seconds, moved.colour) == (0.0, "green")
