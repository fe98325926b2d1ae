"""The client against a scripted server on a real socket."""

import asyncio
import socket
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from websockets.asyncio.server import ServerConnection, serve

from isshoni.client import (
    BackoffPolicy,
    ClientSettings,
    ConnectionState,
    Hole,
    InvalidIdentifier,
    InvalidText,
    SessionClient,
)
from tests.integration.client.recorder import QUICK, Recorder
from tests.integration.client.scripted_server import ScriptedServer

LOST = ConnectionState.LOST
REFUSED, RESTORED = ConnectionState.REFUSED, ConnectionState.RESTORED


# Restore and chat


async def test_it_restores_with_who_it_is_and_what_it_can(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    assert server.peers[0].restores == [
        {
            "type": "restore_session",
            "session_id": "team",
            "client_id": "me",
            "generation": 1,
            "position": None,
            "gap_ms": None,
            "can": ["migrate", "canvas", "replica", "batch", "regions"],
            "held": None,
        }
    ]
    (change,) = recorder.changes
    assert (change.state, change.generation, change.gap_seconds) == (RESTORED, 1, None)
    assert (change.server_version, change.colour) == ("v1", "blue")


async def test_what_is_sent_is_acknowledged_and_comes_back(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    assert [client.send_chat("a"), client.send_chat("한글 🎨")] == [1, 2]
    assert await client.wait_until_saved(5)
    await recorder.until(lambda: len(recorder.chats) == 2)
    assert recorder.acks == [(1, 1), (2, 2)]
    assert recorder.texts == server.texts() == ["a", "한글 🎨"]


async def test_the_history_is_delivered_on_the_first_restore(server: ScriptedServer) -> None:
    for text in "abc":
        await server.say(text)
    recorder = Recorder()
    async with SessionClient(server.url, "team", listener=recorder) as client:
        assert await client.wait_until_restored(5)
        assert recorder.texts == ["a", "b", "c"]
        assert recorder.raw == [(1, 1, True), (2, 1, True), (3, 1, True)]
        assert not recorder.holes


async def test_a_doubled_ack_is_told_once(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.double_acks = True
    for text in "abc":
        client.send_chat(text)
    assert await client.wait_until_saved(5)
    assert recorder.acks == [(1, 1), (2, 2), (3, 3)]


async def test_what_is_typed_before_any_server_is_there_is_sent_when_there_is() -> None:
    server, recorder = ScriptedServer(), Recorder()
    async with server:
        await server.stop_listening()
        async with SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client:
            client.send_chat("early")
            client.draw("x", {"kind": "box"})
            assert not await client.wait_until_saved(0.1)
            await server.listen()
            assert await client.wait_until_saved(5)
    assert server.texts() == ["early"]
    assert server.elements.to_py() == {"x": {"kind": "box"}}


@pytest.mark.parametrize("text", ["", "x" * 4001, "\ud800"])
async def test_text_that_no_server_takes_is_refused_and_uses_no_number(
    client: SessionClient, text: str
) -> None:
    with pytest.raises(InvalidText):
        client.send_chat(text)
    assert client.send_chat("fine") == 1


def test_an_identifier_that_no_server_takes_is_refused() -> None:
    with pytest.raises(InvalidIdentifier, match="session_id 'a b'"):
        SessionClient("ws://127.0.0.1:1", "a b")


# Loss and return


@pytest.mark.spec("B1", "A4")
async def test_a_cut_socket_is_replaced_and_nothing_is_lost_or_doubled(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    client.send_chat("a")
    assert await client.wait_until_saved(5)
    server.faults.lost_acks = 1
    for text in "bcd":
        client.send_chat(text)
    assert await client.wait_until_saved(5)
    await recorder.until(lambda: len(recorder.chats) == 4)
    assert server.texts() == recorder.texts == ["a", "b", "c", "d"]
    assert [n for n, _ in recorder.acks] == [1, 2, 3, 4]
    assert recorder.states == [RESTORED, LOST, RESTORED]
    assert recorder.changes[1].close_code == 1006
    second = server.peers[1].restores[0]
    assert second["generation"] == 2
    assert second["position"]["epoch"] == "epoch-1"
    # What the restore said is in the log is not sent again.
    arrived = [chat["n"] for peer in server.peers for chat in peer.chats]
    assert arrived == [1, 2, 3, 4]
    assert 0 < recorder.gap_seconds() < 1


@pytest.mark.spec("B1")
@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000, 4399, 4500])
async def test_it_comes_back_after_a_close_clean_or_not(
    server: ScriptedServer, client: SessionClient, recorder: Recorder, code: int
) -> None:
    await server.close_all(code)
    await recorder.until(lambda: recorder.states == [RESTORED, LOST, RESTORED])
    assert recorder.changes[1].close_code == code


@pytest.mark.parametrize("code", [4400, 4401, 4404, 4499])
async def test_it_stays_away_when_told_not_to_come_back(
    server: ScriptedServer, client: SessionClient, recorder: Recorder, code: int
) -> None:
    await server.close_all(code)
    await recorder.until(lambda: recorder.states == [RESTORED, LOST, REFUSED])
    await asyncio.sleep(0.1)  # Longer than any first return.
    assert len(server.peers) == 1


async def test_it_stays_away_when_it_is_refused_at_the_door(server: ScriptedServer) -> None:
    server.faults.close_on_open = 4404
    recorder = Recorder()
    async with SessionClient(server.url, "team", listener=recorder, settings=QUICK):
        await recorder.until(lambda: recorder.states == [REFUSED])
        assert recorder.changes[0].close_code == 4404


async def test_returns_to_a_server_that_drops_it_at_once_grow_slower(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.close_on_open = 1012
    opened = []
    settings = ClientSettings(
        backoff=BackoffPolicy(first_seconds=0.01, prompt_seconds=0.01, longest_seconds=60)
    )
    async with SessionClient(
        server.url, "team", listener=recorder, settings=settings, uniform=lambda: 1.0
    ):
        for count in range(1, 6):
            await server.until(lambda count=count: len(server.peers) == count)
            opened.append(time.monotonic())
    waits = [later - earlier for earlier, later in pairwise(opened)]
    assert all(wait >= bound for wait, bound in zip(waits[1:], (0.02, 0.04, 0.08), strict=True))


@pytest.mark.spec("B1")
async def test_the_heartbeat_finds_a_half_open_peer(recorder: Recorder) -> None:
    async with (
        ScriptedServer(heartbeat_seconds=0.1) as server,
        SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client,
    ):
        assert await client.wait_until_restored(5)
        server.faults.silent = True
        await recorder.until(lambda: LOST in recorder.states)
        server.faults.silent = False
        await recorder.until(lambda: recorder.states[-1] == RESTORED)
        # Measured from the last frame heard, not from when the silence was noticed.
        assert recorder.gap_seconds() >= 0.2


@pytest.mark.spec("B1")
async def test_an_unanswered_message_finds_a_half_open_peer_long_before_the_heartbeat(
    recorder: Recorder,
) -> None:
    settings = replace(QUICK, answer_seconds=0.1, probe_seconds=0.1)
    async with (
        ScriptedServer(heartbeat_seconds=600) as server,
        SessionClient(server.url, "team", listener=recorder, settings=settings) as client,
    ):
        assert await client.wait_until_restored(5)
        await asyncio.sleep(0.3)
        assert recorder.states == [RESTORED], "nothing is owed: nothing is asked"
        server.faults.silent = True
        client.send_chat("into the void")
        await recorder.until(lambda: LOST in recorder.states)
        server.faults.silent = False
        assert await client.wait_until_saved(5)
        assert server.texts() == ["into the void"]


@pytest.mark.spec("B1")
async def test_a_slow_answer_is_waited_for_while_pings_are_answered(recorder: Recorder) -> None:
    settings = replace(QUICK, answer_seconds=0.05, probe_seconds=0.5)
    async with (
        ScriptedServer(heartbeat_seconds=600) as server,
        SessionClient(server.url, "team", listener=recorder, settings=settings) as client,
    ):
        assert await client.wait_until_restored(5)
        server.faults.unanswered = True
        client.send_chat("slow")
        await server.until(lambda: server.pings >= 3)
        assert recorder.states == [RESTORED]


async def test_the_heartbeat_keeps_a_quiet_connection(recorder: Recorder) -> None:
    async with (
        ScriptedServer(heartbeat_seconds=0.5) as server,
        SessionClient(server.url, "team", listener=recorder, settings=QUICK),
    ):
        await server.until(lambda: server.pings >= 4)
        assert recorder.states == [RESTORED]


async def test_a_restore_without_answer_is_given_up_and_tried_elsewhere(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.silent = True
    async with SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client:
        await server.until(lambda: len(server.peers) == 2)
        server.faults.silent = False
        assert await client.wait_until_restored(5)


async def test_a_peer_that_accepts_and_never_speaks_is_given_up(recorder: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}"
        settings = ClientSettings(backoff=QUICK.backoff, open_timeout_seconds=0.05)
        async with SessionClient(url, "team", listener=recorder, settings=settings):
            mute.setblocking(False)
            loop = asyncio.get_running_loop()
            for _ in range(2):
                accepted, _ = await asyncio.wait_for(loop.sock_accept(mute), 5)
                accepted.close()


async def test_not_ready_is_asked_again_on_the_same_connection(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.not_ready = 2
    async with SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client:
        assert await client.wait_until_restored(5)
    assert recorder.errors == ["not_ready", "not_ready"]
    assert len(server.peers) == 1


async def test_a_client_that_learns_when_to_ask_again_waits_on_the_same_connection(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.not_ready = 1
    server.faults.retry_after_ms = round(QUICK.restore_timeout_seconds * 2000)
    async with SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client:
        assert await client.wait_until_restored(30)
    assert recorder.errors == ["not_ready"]
    assert len(server.peers) == 1


async def test_a_client_that_is_asked_to_wait_is_restored_as_soon_as_the_answer_comes(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.not_ready = 1
    server.faults.retry_after_ms = 60_000
    async with SessionClient(server.url, "team", listener=recorder, settings=QUICK) as client:
        await recorder.until(lambda: recorder.errors == ["not_ready"])
        assert server.peers[0].unanswered is not None
        await server.answer_restore(server.peers[0])
        assert await client.wait_until_restored(30)
        client.send_chat("hello")
        assert await client.wait_until_saved(30)
    assert len(server.peers) == len(server.peers[0].restores) == 1


async def test_frames_that_make_no_sense_are_told_and_survived(recorder: Recorder) -> None:
    async def babble(connection: ServerConnection) -> None:
        await connection.recv()
        for frame in ("{", "[]", '{"type":"ack"}', '{"type":"tomorrow"}', b"\x07", b""):
            await connection.send(frame)
        await connection.wait_closed()

    async with serve(babble, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with SessionClient(url, "team", listener=recorder):
            await recorder.until(lambda: len(recorder.errors) == 5)
    assert recorder.errors == ["bad_json", "bad_message", "bad_message", "bad_frame", "bad_frame"]


# Redis that does not take it


@pytest.mark.spec("A4")
async def test_what_redis_did_not_take_is_sent_again_in_order(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    client.send_chat("a")
    assert await client.wait_until_saved(5)
    server.faults.not_saved = 2
    for text in "bcd":
        client.send_chat(text)
    await recorder.until(lambda: recorder.errors)
    client.send_chat("e")
    assert await client.wait_until_saved(5)
    assert server.texts() == ["a", "b", "c", "d", "e"]
    assert {"not_saved", "gap"} == set(recorder.errors)


async def test_the_last_message_is_sent_again_though_no_later_one_shows_the_gap(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.not_saved = 1
    client.send_chat("alone")
    assert await client.wait_until_saved(5)
    assert recorder.errors == ["not_saved"]


# What a faulty server sends


async def test_a_missing_event_is_reported_and_fetched(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.withheld_events = {2, 3}
    for text in "abcde":
        await server.say(text)
    await recorder.until(lambda: len(recorder.chats) == 5)
    assert recorder.texts == ["a", "b", "c", "d", "e"]
    assert recorder.holes == [Hole(2, 3)]
    assert recorder.states == [RESTORED]
    assert len(server.peers[0].restores) == 2


async def test_doubled_events_are_seen_raw_and_delivered_once(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    await server.say("a")
    await server.send_to_all(server.log[0])
    await server.say("b")
    await recorder.until(lambda: len(recorder.raw) == 3)
    assert recorder.raw == [(1, 1, False), (1, 1, False), (2, 1, False)]
    assert recorder.texts == ["a", "b"]


async def test_another_log_is_reported_and_read_from_its_start(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    await server.say("old")
    await recorder.until(lambda: recorder.chats)
    server.epoch, server.log = "epoch-2", []
    server.last_n.clear()
    await server.close_all(1012)
    await server.say("new")
    await recorder.until(lambda: recorder.texts == ["old", "new"])
    assert recorder.restarts == 1


async def test_several_events_in_one_frame_are_delivered_in_order(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    await recorder.until(lambda: server.peers and server.peers[0].is_restored)
    (peer,) = server.peers
    assert "batch" in peer.restores[0]["can"]
    events = [
        {"type": "chat", "seq": seq, "client_id": "other", "n": seq, "text": str(seq), "at": 1}
        for seq in range(1, 5)
    ]
    broken = {"type": "chat", "seq": "broken"}
    await peer.send({"type": "events", "events": [events[0], broken, *events[1:3]]})
    await peer.send(events[3])
    await recorder.until(lambda: len(recorder.texts) == 4)
    assert recorder.texts == ["1", "2", "3", "4"]
    assert recorder.errors == ["bad_message"]
    assert not recorder.holes
