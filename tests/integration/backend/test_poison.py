"""Entries of a log that nobody can read: their session goes on, and so does every other."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pycrdt
import pytest
from redis.asyncio import Redis

from isshoni.backend.store.redis.keys import session_keys
from isshoni.client import SessionClient
from isshoni.session.sync import make_step1
from tests.integration.client.recorder import QUICK, Recorder
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

POISON = [b"", b"\xff\xfe", b"null", b"[1]", b'{"n":', b'{"client_id":1}', b"[" * 10_000]
Spoil = Callable[[str, bytes], Awaitable[int]]


@pytest.fixture
async def spoil(valkey: ValkeyServer) -> AsyncIterator[Spoil]:
    """What puts an entry into a chat log as an append does: numbered and published."""
    redis = Redis.from_url(valkey.url)

    async def append(session_id: str, payload: bytes) -> int:
        keys = session_keys(session_id)
        seq: int = await redis.hincrby(keys.meta, "chat_seq", 1)
        fields = {"e": payload, "t": 4_000_000_000_000}
        await redis.xadd(keys.chat_log, fields, id=f"{seq}-0")  # type: ignore[arg-type]
        await redis.execute_command("SPUBLISH", keys.channel, b"c%d:%b" % (seq, payload))  # type: ignore[no-untyped-call]
        return seq

    yield append
    await redis.aclose()


@pytest.mark.spec("A4", "A7")
async def test_poison_leaves_its_place_live_and_in_history(
    backend: BackendProcess, session_id: str, spoil: Spoil
) -> None:
    other = await backend.join(f"{session_id}-other", client_id="other")
    live = await backend.join(session_id, client_id="live")
    before = backend.status()["counters"]["chat_poison"]
    await live.chat(1, "before")
    await live.read("chat")
    for payload in POISON:
        seq = await spoil(session_id, payload)
        event = await live.read("chat")
        assert (event["seq"], event["unreadable"], event["text"]) == (seq, True, "")
    await live.chat(2, "after")
    assert (await live.read("chat"))["seq"] == len(POISON) + 2

    late = await backend.connect(session_id)
    history = (await late.restore())["chat_history"]
    assert [event["seq"] for event in history] == list(range(1, len(POISON) + 3))
    assert [event.get("text") for event in history] == ["before", *[""] * len(POISON), "after"]
    await other.chat(1)
    assert (await other.read("ack"))["seq"] == 1
    assert backend.status()["counters"]["chat_poison"] == before + len(POISON)
    assert backend.log.count(f"event=chat_unreadable session={session_id} ") == len(POISON)
    for client in (other, live, late):
        await client.close()


@pytest.mark.spec("A4", "B1")
async def test_the_client_steps_over_poison_without_a_hole(
    backend: BackendProcess, session_id: str, spoil: Spoil
) -> None:
    recorder = Recorder()
    url = backend.url.replace("http", "ws")
    async with SessionClient(url, session_id, listener=recorder, settings=QUICK) as client:
        assert await client.wait_until_restored(5)
        client.send_chat("before")
        assert await client.wait_until_saved(5)
        await spoil(session_id, b"garbage")
        client.send_chat("after")
        await recorder.until(lambda: len(recorder.chats) == 3)
    assert [event.unreadable for event in recorder.chats] == [False, True, False]
    assert recorder.holes == []


@pytest.mark.spec("A4", "A7")
async def test_a_log_that_makes_no_sense_at_all_hurts_its_own_session_only(
    valkey: ValkeyServer, backend: BackendProcess, session_id: str
) -> None:
    other = await backend.join(f"{session_id}-other", client_id="other")
    broken = await backend.join(session_id, client_id="broken")
    await broken.chat(1)
    await broken.read("ack")
    await other.chat(1)
    await other.read("ack")
    keys = session_keys(session_id)
    async with Redis.from_url(valkey.url) as redis:
        # No log at all, and a publication with a hole before it: it must be read.
        await redis.set(keys.chat_log, "no stream")
        await redis.execute_command("SPUBLISH", keys.channel, b"c3:{}")  # type: ignore[no-untyped-call]
    await broken.chat(2)
    assert (await broken.read("error", "ack"))["code"] == "not_saved"
    newcomer = await backend.connect(session_id)
    await newcomer.send(type="restore_session", session_id=session_id, position=None)
    await newcomer.next_frame()
    await other.chat(2)
    assert (await other.read("ack"))["seq"] == 2
    assert backend.get("/readyz") == 200
    for client in (other, broken, newcomer):
        await client.close()
    async with Redis.from_url(valkey.url) as redis:
        await redis.delete(keys.chat_log)


@pytest.mark.spec("A4")
async def test_canvas_poison_is_skipped_and_counted(
    valkey: ValkeyServer, backend: BackendProcess, session_id: str
) -> None:
    before = backend.status()["counters"]["canvas_poison"]
    keys = session_keys(session_id)
    client = await backend.join(session_id, can=["canvas"])
    async with Redis.from_url(valkey.url) as redis:
        await redis.hset(keys.meta, "canvas_seq", "1")
        await redis.xadd(keys.canvas_log, {"u": b"not an update"}, id="1-0")
    await client.connection.send(make_step1(pycrdt.Doc()))
    assert (await client.read_binary())[:2] == b"\x00\x01"
    assert backend.status()["counters"]["canvas_poison"] == before + 1
    await client.close()
