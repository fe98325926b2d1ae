"""A Redis that lost data under a live process, and what is put back into it."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.live.whole_canvas import make_snapshot
from tests.integration.backend.test_redis_failover import open_store
from tests.support.failover import RedisPair
from tests.support.valkey import ValkeyServer
from tests.unit.backend.test_connection import Peer
from tests.unit.backend.test_forked_log import SETTINGS, envelope

FILLED = 1500


@pytest.mark.spec("A4")
async def test_an_emptied_redis_gets_each_message_once(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "redis") as server:
        async with open_store(server.url) as writer, open_store(server.url) as store:
            for n in range(1, FILLED + 1):
                await writer.append_chat("s", "eve", n, envelope("eve", n, f"eve {n}"))
            ann = Peer(WebSocketManager(BackendContext(SETTINGS, store)))
            await ann.restore(client_id="ann")
            ann.say(type="chat", n=1, text="before")
            await ann.wait_for("ack", 1)
            await ann.wait_for("chat", 1)
            server.command("FLUSHALL")
            ann.say(type="chat", n=2, text="after")
            texts: list[str] = []
            async with asyncio.timeout(30):
                while "before" not in texts:
                    await asyncio.sleep(0.05)
                    log = await writer.read_chat("s", after=0, limit=5000)
                    texts = [json.loads(entry.payload)["text"] for entry in log]
            await asyncio.sleep(1.0)  # a second, wrong merge would come at once
            log = await writer.read_chat("s", after=0, limit=5000)
            texts = [json.loads(entry.payload)["text"] for entry in log]
            assert len(texts) == len(set(texts)) >= 200


def draw(name: str) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    elements[name] = {"type": "rectangle"}
    return doc.get_update()


async def until_reached(order: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat an order until Redis is reached again."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await order()
            await asyncio.sleep(0.05)


@pytest.mark.spec("A4")
async def test_a_snapshot_of_before_a_failover_does_not_replace_what_came_after(
    tmp_path: Path,
) -> None:
    async with (
        RedisPair(tmp_path) as pair,
        open_store(pair.url) as store,
        open_store(pair.url) as other,
    ):
        for n in range(1, 9):
            await store.append_canvas("s", draw(f"old {n}"))
        await pair.lag()
        for n in (9, 10):
            await store.append_canvas("s", draw(f"lost {n}"))
        await store.open_session("s")
        log = await store.load_canvas("s")
        snapshot = make_snapshot(log, frozenset())
        await pair.fail_over()
        for n in range(9, 13):
            update = draw(f"new {n}")
            await until_reached(lambda update=update: other.append_canvas("s", update))  # type: ignore[misc]
        last = log.updates[-1].digest
        done = await until_reached(
            lambda: store.compact_canvas("s", snapshot, upto=log.seq, digest=last)
        )
        assert done is False
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        doc.apply_update(make_snapshot(await other.load_canvas("s"), frozenset()))
        elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
        assert {f"new {n}" for n in range(9, 13)} <= set(elements.keys())
