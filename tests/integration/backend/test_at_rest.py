"""What lies in Redis and goes through it, looked at from outside."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis.asyncio
from cryptography.fernet import Fernet

from isshoni.backend.process.reseal import Tally, reseal
from isshoni.backend.security.vault import Vault
from isshoni.backend.store.redis.channels import ChannelNames
from isshoni.client.client import SessionClient
from isshoni.session.sync import make_awareness
from tests.support.backend import TICKET_SECRET, BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

ONE, TWO = (Fernet.generate_key().decode() for _ in range(2))
SAID, DRAWN, NAME = "the-secret-plan", "the-secret-drawing", "the-secret-name"
IMAGE = "the-secret-image"
PASTED, AN_SVG = f"<svg>{IMAGE}</svg>".encode(), {"content-type": "image/svg+xml"}


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey", fsync="always") as server:
        yield server


@contextlib.asynccontextmanager
async def wiretap(url: str, session_id: str) -> AsyncIterator[bytearray]:
    """Collect what is published in a session."""
    heard, channel = bytearray(), ChannelNames(TICKET_SECRET, 0).keyed_name(session_id)
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"SSUBSCRIBE %b\r\n" % channel)

    async def listen() -> None:
        while chunk := await reader.read(65_536):
            heard.extend(chunk)

    task = asyncio.create_task(listen())
    try:
        await wait_until(lambda: heard, "it is subscribed")
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        writer.close()


async def dump(url: str) -> bytes:
    """Read every key of a Redis, as stored and as it reads."""
    found = bytearray()
    async with redis.asyncio.Redis.from_url(url) as client:
        async for key in client.scan_iter():
            found += key + (await client.dump(key) or b"")
            kind = await client.type(key)
            if kind == b"stream":
                found += repr(await client.xrange(key)).encode()
            elif kind == b"hash":
                found += repr(await client.hgetall(key)).encode()
            elif kind == b"zset":
                found += repr(await client.zrange(key, 0, -1)).encode()
            else:
                found += repr(await client.get(key)).encode()
    return bytes(found)


def paste(backend: BackendProcess, session_id: str) -> bool:
    url = f"{backend.url}/sessions/{session_id}/files/pasted"
    return httpx.put(url, content=PASTED, headers=AN_SVG).is_success


def pasted(backend: BackendProcess, session_id: str) -> bytes:
    return httpx.get(f"{backend.url}/sessions/{session_id}/files/pasted").content


async def live(backend: BackendProcess, session_id: str) -> None:
    """Chat, draw, paste and wave, a lot: the canvas is compacted meanwhile."""
    async with SessionClient(f"ws://127.0.0.1:{backend.port}", session_id) as ann:
        assert await ann.wait_until_restored(10)
        for number in range(20):
            ann.send_chat(f"{SAID} {number}")
        for number in range(700):
            ann.draw(f"{DRAWN}-{number % 7}", {"text": DRAWN, "x": number})
            if number % 100 == 0:
                assert await ann.wait_until_saved(20)
        assert await ann.wait_until_saved(20)
    assert paste(backend, session_id)
    waver = await backend.join(session_id)
    state = b'{"user":"%b"}' % NAME.encode()
    awareness = b"\x01\x05\x01" + bytes([len(state)]) + state
    await waver.connection.send(make_awareness(awareness))
    while NAME.encode() not in await waver.read_binary():
        pass
    await waver.close()


@pytest.mark.spec("A6")
@pytest.mark.parametrize("key", [ONE, ""], ids=["sealed", "plain"])
async def test_no_content_is_found_in_redis_nor_on_its_way(
    own_valkey: ValkeyServer, tmp_path: Path, key: str
) -> None:
    session_id = secrets.token_hex(8)
    with BackendProcess(own_valkey.url, tmp_path / "log", SESSION_ENCRYPTION_KEY=key) as backend:
        backend.wait_until_ready()
        async with wiretap(own_valkey.url, session_id) as published:
            await live(backend, session_id)
        stored = await dump(own_valkey.url)
        again = await backend.connect(session_id)
        restored = await again.restore()
        await again.close()
        assert pasted(backend, session_id) == PASTED
    assert len(restored["chat_history"]) == 20
    assert len(restored["canvas_state"]) == 7
    files = b"".join(path.read_bytes() for path in (tmp_path / "valkey").rglob("*.aof*"))
    assert b"snapshot" in stored, "it was compacted"
    for where, found in (("keys", stored), ("AOF", files), ("pub/sub", bytes(published))):
        assert len(found) > 1000
        for secret in (SAID, DRAWN) if where == "pub/sub" else (SAID, DRAWN, IMAGE):
            # Without a key all of it is there: the search would find it.
            assert (secret.encode() in found) is not bool(key), f"{secret} in {where}"
    assert (NAME.encode() in published) is not bool(key)
    assert ONE not in (tmp_path / "log").read_text()


@pytest.mark.spec("A6", "A9")
async def test_a_process_with_another_key_or_none_is_not_ready_and_says_why(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    session_id = secrets.token_hex(8)
    with BackendProcess(own_valkey.url, tmp_path / "one", SESSION_ENCRYPTION_KEY=ONE) as backend:
        backend.wait_until_ready()
        ann = await backend.join(session_id, client_id="ann")
        await ann.chat(1)
        await ann.read("ack")
        before = await dump_session(own_valkey.url, session_id)
        for name, keys in (("two", TWO), ("none", "")):
            with BackendProcess(
                own_valkey.url, tmp_path / name, "green", SESSION_ENCRYPTION_KEY=keys
            ) as other:
                other.wait_until(lambda other=other: other.status()["not_ready_reason"])
                assert other.get("/readyz") == 503
                assert "SESSION_ENCRYPTION_KEY" in other.status()["not_ready_reason"]
                proof = other.admin("GET", "/admin/proof").json()
                assert "encrypted with another key" in proof["fault"]
                stranger = await other.connect(session_id)
                await stranger.send(type="restore_session", session_id=session_id)
                assert (await stranger.read("error", "session_restored"))["code"] == "not_ready"
                await stranger.close()
        assert await dump_session(own_valkey.url, session_id) == before
        await ann.close()
        told = backend.status()["formats"]
        assert told["writes"][-1] == Vault([ONE]).writes
        with BackendProcess(
            own_valkey.url, tmp_path / "both", "green", SESSION_ENCRYPTION_KEY=f"{TWO},{ONE}"
        ) as both:
            both.wait_until_ready()
            assert (await (await both.connect(session_id)).restore())["chat_history"]


async def dump_session(url: str, session_id: str) -> list[bytes]:
    async with redis.asyncio.Redis.from_url(url) as client:
        keys = sorted([key async for key in client.scan_iter(f"*{session_id}*")])
        return [await client.dump(key) or b"" for key in keys]


@pytest.mark.spec("A5")
async def test_an_entry_of_a_form_not_known_is_set_aside_and_nothing_else_stops(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    session_id = secrets.token_hex(8)
    with BackendProcess(own_valkey.url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        ann = await backend.join(session_id, client_id="ann")
        await ann.chat(1, "before")
        await ann.read("chat")
        async with redis.asyncio.Redis.from_url(own_valkey.url) as client:
            log, meta = (f"{name}:{{{session_id}}}:" for name in ("chat", "session"))
            for seq, stored in (
                (2, b'{"v":7,"text":{}}'),
                (3, b"\xff\xff\xff\xffI\x09x"),
                (4, b"\x80"),
            ):
                await client.xadd(f"{log}log", {"e": stored}, id=f"{seq}-0")
            await client.hset(f"{meta}meta", "chat_seq", "4")
        proof = backend.admin("GET", f"/admin/proof?session={session_id}").json()
        assert (proof["sampled"], proof["unreadable"]) == (1, [session_id])
        await ann.chat(2, "after")
        events = [await ann.read("chat") for _ in range(4)]
        assert [event["seq"] for event in events] == [2, 3, 4, 5]
        assert [event.get("unreadable", False) for event in events] == [True] * 3 + [False]
        assert events[-1]["text"] == "after"
        bob = await backend.join(session_id)
        assert backend.status()["counters"]["chat_poison"] == 3
        assert backend.log.count("event=chat_unreadable") == 3
        await bob.close()
        await ann.close()


@pytest.mark.spec("A5")
async def test_an_old_and_a_new_process_keep_each_others_fields(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    session_id = secrets.token_hex(8)
    newer = Path(__file__).parents[2] / "releases" / "newer.py"
    with (
        BackendProcess(own_valkey.url, tmp_path / "old") as old,
        BackendProcess(own_valkey.url, tmp_path / "new", "green", program=newer) as new,
    ):
        for process in (old, new):
            process.wait_until_ready()
        ann = await old.join(session_id, client_id="ann")
        bob = await new.join(session_id, client_id="bob")
        await ann.chat(1, "from the old")
        assert (await bob.read("chat"))["text"] == "from the old"
        await bob.chat(1, "from the new")
        await ann.read("chat")
        event = await ann.read("chat")
        assert (event["text"], event["mood"]) == ("from the new", "newer")
        for process in (old, new):
            late = await process.connect(session_id)
            history = (await late.restore())["chat_history"]
            assert [event.get("mood") for event in history] == [None, "newer"]
            await late.close()
        await ann.close()
        await bob.close()


@pytest.mark.spec("A6")
async def test_a_replaced_key_opens_nothing_any_more_after_resealing_a_live_session(
    own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    session_id = secrets.token_hex(8)
    both = f"{TWO},{ONE}"
    with BackendProcess(own_valkey.url, tmp_path / "old", SESSION_ENCRYPTION_KEY=ONE) as old:
        old.wait_until_ready()
        await live(old, session_id)
    with BackendProcess(own_valkey.url, tmp_path / "both", SESSION_ENCRYPTION_KEY=both) as backend:
        backend.wait_until_ready()
        async with SessionClient(f"ws://127.0.0.1:{backend.port}", session_id) as ann:
            talking = asyncio.create_task(talk(ann))
            tally = await reseal(own_valkey.url, Vault.parse(both))
            assert await talking
        assert (tally.sessions, tally.rewritten, tally.left) == (1, 1, 0)
        assert await reseal(own_valkey.url, Vault.parse(both)) == Tally(1, 0, 0)
    with BackendProcess(own_valkey.url, tmp_path / "new", SESSION_ENCRYPTION_KEY=TWO) as new:
        new.wait_until_ready()
        reader = await new.connect(session_id)
        restored = await reader.restore()
        await reader.close()
        assert pasted(new, session_id) == PASTED
        proof = new.admin("GET", "/admin/proof").json()
        assert (proof["readable"], proof["fault"]) == (1, None)
    texts = [event["text"] for event in restored["chat_history"]]
    assert texts == [f"{SAID} {n}" for n in range(20)] + [f"more {n}" for n in range(30)]
    assert len(restored["canvas_state"]) == 7


async def talk(client: SessionClient) -> bool:
    for number in range(30):
        client.send_chat(f"more {number}")
        await asyncio.sleep(0.01)
    return await client.wait_until_saved(20)
