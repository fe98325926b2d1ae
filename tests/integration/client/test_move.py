"""Make before break, and every way in which it can fail."""

import asyncio

import pytest

from isshoni.client import ConnectionState, SessionClient
from tests.integration.client.recorder import Recorder
from tests.integration.client.scripted_server import ScriptedServer

LOST, MOVED = ConnectionState.LOST, ConnectionState.MOVED
RESTORED = ConnectionState.RESTORED

pytestmark = pytest.mark.spec("B2")


async def test_a_move_breaks_nothing(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    await server.say("before")
    await recorder.until(lambda: recorder.chats)
    await server.migrate("green")
    await recorder.until(lambda: MOVED in recorder.states)
    old, new = server.peers
    await server.until(lambda: server.open == [new])
    assert recorder.states == [RESTORED, MOVED]
    assert server.most_open == 2
    assert (new.target, new.ticket) == ("green", "t-1+/=")
    assert new.restores[0]["generation"] == 2
    assert new.restores[0]["position"] == {"epoch": "epoch-1", "seq": 1}
    assert old.close_code == 1000
    moved = recorder.changes[-1]
    assert (moved.gap_seconds, moved.colour) == (0.0, "green")


@pytest.mark.spec("A4")
async def test_what_is_typed_and_said_during_moves_is_neither_lost_nor_doubled(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    async def type_on() -> None:
        for count in range(200):
            client.send_chat(f"m{count}")
            client.draw(f"e{count % 10}", {"count": count})
            await asyncio.sleep(0)

    typing = asyncio.create_task(type_on())
    for colour in ("green", "blue", "green", "blue"):
        await server.say(f"from elsewhere, before {colour}")
        moves = len(recorder.states)
        await server.migrate(colour)
        await recorder.until(lambda moves=moves: len(recorder.states) > moves)  # type: ignore[misc]
    await typing
    assert await client.wait_until_saved(5)
    await recorder.until(lambda: len(recorder.chats) == 204)
    assert [event.seq for event in recorder.chats] == list(range(1, 205))
    assert [event.text for event in recorder.chats if event.client_id == "me"] == [
        f"m{count}" for count in range(200)
    ]
    assert [n for n, _ in recorder.acks] == list(range(1, 201))
    assert recorder.texts == server.texts()
    assert server.elements.to_py() == client.elements
    assert recorder.states == [RESTORED, MOVED, MOVED, MOVED, MOVED]
    assert not recorder.holes, recorder.raw


async def test_unacknowledged_messages_go_again_on_the_new_connection_before_new_ones(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    client.send_chat("first")
    assert await client.wait_until_saved(5)
    server.faults.unanswered = True
    for text in "ab":
        client.send_chat(text)
    await server.until(lambda: len(server.peers[0].chats) == 3)
    server.faults.unanswered = False
    await server.migrate()
    await recorder.until(lambda: MOVED in recorder.states)
    client.send_chat("c")
    assert await client.wait_until_saved(5)
    assert [chat["n"] for chat in server.peers[1].chats] == [2, 3, 4]
    assert server.texts() == ["first", "a", "b", "c"]


@pytest.mark.parametrize("code", [1011, 1012, 4401])
async def test_a_refused_move_leaves_the_client_where_it_is(
    server: ScriptedServer, client: SessionClient, recorder: Recorder, code: int
) -> None:
    server.faults.close_targeted = code
    await server.migrate()
    await recorder.until(lambda: recorder.errors == ["move_failed"])
    client.send_chat("still here")
    assert await client.wait_until_saved(5)
    assert recorder.states == [RESTORED]
    server.faults.close_targeted = None
    await server.migrate()
    await recorder.until(lambda: recorder.states == [RESTORED, MOVED])


async def test_a_move_to_a_later_protocol_leaves_the_client_where_it_is(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.protocols["green"] = 2
    await server.migrate()
    await recorder.until(lambda: recorder.errors == ["move_failed"])
    client.send_chat("still here")
    assert await client.wait_until_saved(5)
    assert recorder.states == [RESTORED]


async def test_a_move_without_answer_leaves_the_client_where_it_is(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.silent_to_targeted = True
    await server.migrate()
    await server.migrate()
    await recorder.until(lambda: recorder.errors == ["move_failed"])
    client.send_chat("still here")
    assert await client.wait_until_saved(5)
    assert recorder.states == [RESTORED]
    assert len(server.peers) == 2


async def test_the_servers_word_for_another_target_replaces_the_first(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.silent_to_targeted = True
    await server.migrate("green")
    await server.until(lambda: len(server.peers) == 2 and server.peers[1].unanswered)
    server.faults.silent_to_targeted = False
    await server.migrate("blue")
    await recorder.until(lambda: MOVED in recorder.states)
    assert [peer.target for peer in server.peers] == [None, "green", "blue"]
    assert recorder.changes[-1].colour == "blue"
    assert recorder.errors == []


async def test_when_the_old_one_dies_during_the_move_the_gap_is_told(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.silent_to_targeted = True
    await server.migrate()
    await server.until(lambda: len(server.peers) == 2 and server.peers[1].unanswered)
    server.peers[0].socket.transport.abort()
    await recorder.until(lambda: recorder.states == [RESTORED, LOST])
    await server.answer_restore(server.peers[1])
    await recorder.until(lambda: recorder.states == [RESTORED, LOST, RESTORED])
    assert recorder.gap_seconds() > 0
    assert recorder.changes[-1].colour == "green"
    assert len(server.peers) == 2


async def test_when_the_old_one_dies_and_the_move_hangs_it_returns_without_ticket(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.silent_to_targeted = True
    await server.migrate()
    await server.until(lambda: len(server.peers) == 2 and server.peers[1].unanswered)
    server.peers[0].socket.transport.abort()
    await recorder.until(lambda: recorder.states == [RESTORED, LOST, RESTORED])
    assert server.peers[-1].target is None
    # Sooner than the restore of the move would have been given up.
    assert recorder.gap_seconds() < 0.25


async def test_when_the_old_one_dies_and_the_ticket_is_bad_it_returns_without_ticket(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.silent_to_targeted = True
    await server.migrate()
    await server.until(lambda: len(server.peers) == 2 and server.peers[1].unanswered)
    server.peers[0].socket.transport.abort()
    await recorder.until(lambda: LOST in recorder.states)
    await server.peers[1].socket.close(4401)
    await recorder.until(lambda: recorder.states == [RESTORED, LOST, RESTORED])
    assert server.peers[-1].target is None


async def test_late_events_of_the_old_connection_are_merged(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.withheld_events = {1, 2}
    await server.say("a")
    await server.say("b")
    old = server.peers[0]
    # The new connection's replay brings both; then the old one brings them as well.
    await server.migrate()
    await server.until(lambda: len(server.peers) == 2 and server.peers[1].is_restored)
    for event in server.log:
        await old.send(event)
    await server.say("c")
    await recorder.until(lambda: len(recorder.chats) == 3)
    assert recorder.texts == ["a", "b", "c"]
    assert not recorder.holes, recorder.raw
