"""The canvas of a client against a scripted server on a real socket."""

import pytest

from isshoni.client import ConnectionState, InvalidElement, SessionClient
from tests.integration.client.recorder import Recorder
from tests.integration.client.scripted_server import ScriptedServer

LOST = ConnectionState.LOST


async def test_drawings_reach_the_others_and_are_known_to_be_saved(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    async with SessionClient(server.url, "team") as other:
        assert await other.wait_until_restored(5)
        client.draw("x", {"kind": "box", "at": [1, 2.5], "이름": None})
        client.draw("y", {"kind": "line"})
        client.erase("y")
        client.erase("nothing")
        assert await client.wait_until_saved(5)
        await server.until(lambda: server.open[1].syncs)
        assert client.elements == {"x": {"kind": "box", "at": [1, 2.5], "이름": None}}
        other.draw("z", {})
        assert await other.wait_until_saved(5)
        assert other.elements == server.elements.to_py() == client.elements | {"z": {}}
    assert recorder.saved[-1] == 0


async def test_edits_are_unsaved_until_the_server_says_so(
    server: ScriptedServer, client: SessionClient
) -> None:
    server.faults.canvas_not_saved = True
    client.draw("x", {})
    client.draw("y", {})
    assert not await client.wait_until_saved(0.1)
    assert client.unsaved_edits == 2


async def test_what_is_drawn_while_away_comes_up(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    client.draw("x", {})
    assert await client.wait_until_saved(5)
    server.die()
    await recorder.until(lambda: recorder.states[-1] == LOST)
    client.draw("y", {})
    client.erase("x")
    assert client.unsaved_edits == 2
    assert await client.wait_until_saved(5)
    assert server.elements.to_py() == {"y": {}}


@pytest.mark.parametrize("element", [{"a": object()}, {"a": 2**70}, {"a": "\ud800"}])
async def test_an_element_that_is_not_plain_json_is_refused(
    client: SessionClient, element: dict[str, object]
) -> None:
    with pytest.raises(InvalidElement):
        client.draw("x", element)
    assert client.elements == {}
    assert client.unsaved_edits == 0
