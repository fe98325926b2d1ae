"""Frames that are written at the end of a turn: no death, close or mixture of clients loses one."""

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.backend import BackendProcess, RawClient
from tests.support.valkey import ValkeyServer

DEATH = Path(__file__).with_name("corked_death.py")
COUNT = 200


async def _send_until_lost(client: RawClient) -> set[int]:
    """Send `COUNT` messages at once; return the numbers that were acknowledged before the end."""
    acknowledged: set[int] = set()
    try:
        for n in range(1, COUNT + 1):
            await client.chat(n, f"message {n}")
        while max(acknowledged, default=0) < COUNT:
            acknowledged.add((await client.read("ack"))["n"])
        while True:  # all fitted into fewer turns: each answer takes another one
            await client.send(type="ping")
            await client.read("pong")
    except ConnectionClosed:
        return acknowledged


@pytest.mark.parametrize("dies_at", [3, 6, 12])
async def test_a_process_that_dies_with_acks_corked_loses_nothing_that_was_acknowledged(
    valkey: ValkeyServer, tmp_path: Path, session_id: str, dies_at: int
) -> None:
    with BackendProcess(
        valkey.url, tmp_path / "first", program=DEATH, ISSHONI_TEST_DIES_AT=str(dies_at)
    ) as first:
        first.wait_until_ready()
        client = await first.connect(session_id)
        await client.restore(client_id="ann")
        acknowledged = await _send_until_lost(client)
    with BackendProcess(valkey.url, tmp_path / "second") as second:
        second.wait_until_ready()
        client = await second.connect(session_id)
        restored = await client.restore(client_id="ann", generation=1)
        last_n = restored["last_n"]
        assert last_n >= max(acknowledged, default=0)
        for n in range(1, COUNT + 1):  # a client that does not know what was taken
            await client.chat(n, f"message {n}")
        while (await client.read("ack"))["n"] < COUNT:
            pass
        await client.close()
        reader = await second.connect(session_id)
        log = (await reader.restore())["chat_history"]
        await reader.close()
    assert [event["n"] for event in log] == list(range(1, COUNT + 1))
    assert last_n > 0


def _seqs(frame: Any) -> list[int]:
    """Return the seqs of the chat events in a frame."""
    if not isinstance(frame, dict):
        return []
    if frame["type"] == "events":
        return [event["seq"] for event in frame["events"]]
    return [frame["seq"]] if frame["type"] == "chat" else []


async def test_clients_with_and_without_batches_get_the_same_events(
    backend: BackendProcess, session_id: str
) -> None:
    writer = await backend.join(session_id, client_id="writer")
    batching = await backend.join(session_id, can=["canvas", "batch", "tomorrow"])
    plain = await backend.join(session_id, can=["canvas"])
    for n in range(1, COUNT + 1):
        await writer.chat(n)
    for reader in (batching, plain):
        seqs: list[int] = []
        types = set()
        while len(seqs) < COUNT:
            frame = await reader.next_frame()
            types.add(frame["type"])
            seqs += _seqs(frame)
        assert seqs == list(range(1, COUNT + 1))
        assert reader is batching or types == {"chat"}
        await reader.close()
    await writer.close()


async def test_frames_that_are_corked_arrive_before_the_close_frame(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.connect(session_id)
    bad, answers = 51, 0
    for _ in range(bad):  # one too many: the last is answered, and then the server closes
        await client.connection.send("{")
    try:
        while True:
            answers += json.loads(await client.connection.recv())["code"] == "bad_json"
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        assert closed.rcvd.code == 4400
    assert answers == bad
