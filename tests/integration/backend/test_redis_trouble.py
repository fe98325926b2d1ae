"""Clients through a backend whose Redis is slow, full, read-only or gone."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from isshoni.backend.security.tickets import Tickets
from isshoni.client import ClientListener, SessionClient
from isshoni.session.from_server import ChatEvent
from tests.support.backend import TICKET_SECRET, BackendProcess, RawClient
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

Trouble = Callable[[ValkeyServer], object]

TROUBLES: dict[str, tuple[Trouble, Trouble]] = {
    "full": (
        lambda valkey: valkey.command("CONFIG", "SET", "maxmemory", "1"),
        lambda valkey: valkey.command("CONFIG", "SET", "maxmemory", "0"),
    ),
    "read-only": (
        lambda valkey: valkey.command("REPLICAOF", "127.0.0.1", "1"),
        lambda valkey: valkey.command("REPLICAOF", "NO", "ONE"),
    ),
    "short of replicas": (
        lambda valkey: valkey.command("CONFIG", "SET", "min-replicas-to-write", "1"),
        lambda valkey: valkey.command("CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
    "frozen": (ValkeyServer.freeze, ValkeyServer.thaw),
    "gone": (ValkeyServer.kill, ValkeyServer.start),
}
STILL_READS = {"full", "short of replicas"}
"""What is stored can be read then, so clients are let in."""


class Reader(ClientListener):
    """Keeps what was heard, in the order in which it was."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.seqs: list[int] = []
        self.errors: list[str] = []

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.texts.append(event.text)
        self.seqs.append(event.seq)

    def on_error(self, code: str, message: str, at: float) -> None:
        self.errors.append(code)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "data") as server:
        yield server


@pytest.fixture
def backend(valkey: ValkeyServer, tmp_path: Path) -> Iterator[BackendProcess]:
    with BackendProcess(valkey.url, tmp_path / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", TROUBLES)
async def test_what_was_not_saved_arrives_once_and_in_order_when_redis_is_back(
    valkey: ValkeyServer, backend: BackendProcess, session_id: str, name: str
) -> None:
    begin, end = TROUBLES[name]
    url = f"ws://127.0.0.1:{backend.port}"
    writer, reader = Reader(), Reader()
    async with (
        SessionClient(url, session_id, listener=reader) as bob,
        SessionClient(url, session_id, listener=writer) as ann,
    ):
        assert await ann.wait_until_restored(10)
        assert await bob.wait_until_restored(10)
        for i in range(20):
            ann.send_chat(f"{i}")
        assert await ann.wait_until_saved(10)

        await asyncio.to_thread(begin, valkey)
        began = monotonic()
        for i in range(20, 40):
            ann.send_chat(f"{i}")
        # Bounded: the link waits 3 s for an answer, and looks four times in that time.
        await wait_until(lambda: "not_saved" in writer.errors, "it is told", within_seconds=8)
        assert monotonic() - began < 6
        assert ann.unsaved_messages == 20
        await asyncio.to_thread(backend.wait_until, lambda: is_told(backend, name))
        await asyncio.to_thread(end, valkey)

        assert await ann.wait_until_saved(20)
        for i in range(40, 50):
            ann.send_chat(f"{i}")
        assert await ann.wait_until_saved(10)
        expected = [str(i) for i in range(50)]
        await wait_until(lambda: len(reader.texts) >= 50, "bob hears all", within_seconds=10)
        assert reader.texts == expected
        assert reader.seqs == list(range(1, 51))
    await asyncio.to_thread(backend.wait_until, lambda: is_told_to_be_over(backend))


def is_told(backend: BackendProcess, name: str) -> bool:
    answer = httpx.get(backend.url + "/readyz", timeout=10)
    said = answer.json()
    if name not in STILL_READS:
        return answer.status_code == 503 and bool(said["reason"])
    assert answer.status_code == 200, said
    return bool(said["limit"]) and backend.log.count("event=writes_refused") == 1


def is_told_to_be_over(backend: BackendProcess) -> bool:
    answer = httpx.get(backend.url + "/readyz", timeout=10)
    return answer.status_code == 200 and answer.json()["limit"] is None


async def restore_patiently(client: RawClient, **fields: str) -> dict[str, Any]:
    """Restore, and ask again when told to: the link looks for a primary now and then."""
    while True:
        await client.send(type="restore_session", session_id=client.session_id, **fields)
        answer = await client.read("session_restored", "error")
        if answer["type"] == "session_restored":
            return answer
        assert answer["code"] in ("not_ready", "rate_limited"), answer
        await asyncio.sleep(0.2)


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", ["full", "read-only", "short of replicas"])
async def test_clients_are_restored_and_move_while_redis_takes_no_writes(
    valkey: ValkeyServer, backend: BackendProcess, session_id: str, name: str, tmp_path: Path
) -> None:
    begin, end = TROUBLES[name]
    writer = await backend.join(session_id, client_id="ann")
    await writer.chat(1, "before")
    await writer.read("ack")
    await writer.close()
    await asyncio.to_thread(begin, valkey)
    await asyncio.to_thread(backend.wait_until, lambda: is_told(backend, name))
    # Green has never seen the session, nor this Redis: what it needs to begin is no write.
    with BackendProcess(valkey.url, tmp_path / "green-log", "green") as green:
        ticket = Tickets(TICKET_SECRET).issue(session_id, "green")
        for client in (
            await backend.connect(session_id),
            await green.connect(session_id, f"?ticket={ticket}"),
        ):
            restored = await restore_patiently(client, client_id="ann")
            assert [event["text"] for event in restored["chat_history"]] == ["before"]
            assert restored["last_n"] == 1
            await client.chat(2, "after")
            assert (await client.read("error"))["code"] == "not_saved"
            await client.close()
        session = f"{green.url}/sessions/{session_id}"
        if name == "full":
            assert (await asyncio.to_thread(httpx.delete, session)).status_code == 204
        else:
            assert (await asyncio.to_thread(httpx.delete, session)).status_code == 503
        await asyncio.to_thread(end, valkey)
        await asyncio.to_thread(green.wait_until_ready)
        if name != "full":
            assert (await asyncio.to_thread(httpx.delete, session)).status_code == 204
