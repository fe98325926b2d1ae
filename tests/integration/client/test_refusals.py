"""Messages and connections that are refused for good, and what follows."""

import pytest

from isshoni.client import ConnectionState, SessionClient
from tests.integration.client.recorder import Recorder
from tests.integration.client.scripted_server import ScriptedServer


@pytest.mark.parametrize("code", ["too_large", "read_only", "bad_message"])
@pytest.mark.parametrize("first", [[], ["zero"]], ids=["a new client", "a known client"])
async def test_a_refused_message_goes_back_to_the_caller_and_what_follows_is_sent(
    server: ScriptedServer,
    client: SessionClient,
    recorder: Recorder,
    code: str,
    first: list[str],
) -> None:
    server.faults.refusals = {"bad": code}
    for text in first:
        client.send_chat(text)
        assert await client.wait_until_saved(5)
    known = len(first)
    for text in ("one", "bad", "three", "four"):
        client.send_chat(text)
    assert await client.wait_until_saved(5)
    assert server.texts() == [*first, "one", "three", "four"]
    assert recorder.refused == [(known + 2, "bad", "no")]
    assert recorder.numbered == [{known + 3: known + 2, known + 4: known + 3}]
    assert [n for n, _ in recorder.acks] == list(range(1, known + 4))
    assert client.send_chat("five") == known + 4
    assert await client.wait_until_saved(5)


async def test_a_refused_message_is_not_sent_by_the_next_life(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.refusals = {"bad": "read_only"}
    client.send_chat("bad")
    await recorder.until(lambda: recorder.refused)
    assert client.unsaved_messages == 0
    assert client.outbox_state.pending == ()


async def test_it_stays_away_from_a_server_of_a_later_protocol_and_keeps_what_is_unsaved(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.protocols[None] = 2
    await server.close_all(1012)
    states = [ConnectionState.RESTORED, ConnectionState.LOST, ConnectionState.REFUSED]
    await recorder.until(lambda: recorder.states == states)
    assert recorder.changes[-1].close_code == 4426
    client.send_chat("typed under a newer server")
    assert client.unsaved_messages == 1
    assert len(server.peers) == 2
