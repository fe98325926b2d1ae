"""Clients through a backend whose Redis is slow, full, read-only or gone."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from isshoni.client import ClientListener, SessionClient
from isshoni.session.from_server import ChatEvent
from tests.support.backend import BackendProcess
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
        await asyncio.to_thread(backend.wait_until, lambda: backend.get("/readyz") == 503)
        await asyncio.to_thread(end, valkey)

        assert await ann.wait_until_saved(20)
        for i in range(40, 50):
            ann.send_chat(f"{i}")
        assert await ann.wait_until_saved(10)
        expected = [str(i) for i in range(50)]
        await wait_until(lambda: len(reader.texts) >= 50, "bob hears all", within_seconds=10)
        assert reader.texts == expected
        assert reader.seqs == list(range(1, 51))
    await asyncio.to_thread(backend.wait_until_ready)
