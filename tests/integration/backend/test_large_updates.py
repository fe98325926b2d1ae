"""Canvas changes larger than a frame: from our clients, from Yjs clients, and back to both."""

import asyncio
from typing import Any

import pycrdt
import pytest

from isshoni.client.client import SessionClient
from isshoni.session.sync import SyncUpdate, make_step1, make_update, parse_y_frame
from tests.support.backend import BackendProcess
from tests.support.waiting import wait_until

SECONDS = 60.0


def _draw_much(client: SessionClient, count: int, size: int) -> None:
    with client.doc.transaction():
        for n in range(count):
            client.draw(f"{n}", {"text": "x" * size})


@pytest.mark.spec("A3")
async def test_a_large_change_goes_in_pieces_and_what_follows_it_goes_too(
    backend: BackendProcess, session_id: str
) -> None:
    async with SessionClient(backend.url.replace("http", "ws"), session_id) as ann:
        assert await ann.wait_until_restored(SECONDS)
        _draw_much(ann, 300, 10_000)
        ann.draw("later", {"x": 1})
        ann.send_chat("hello")
        assert await ann.wait_until_saved(SECONDS)
        async with SessionClient(backend.url.replace("http", "ws"), session_id) as bo:
            await wait_until(
                lambda: len(bo.elements) == 301, "all elements", within_seconds=SECONDS
            )


@pytest.mark.spec("A3")
async def test_a_canvas_of_more_than_16_mib_is_drawn_offline_and_entered_by_a_newcomer(
    backend: BackendProcess, session_id: str
) -> None:
    ann = SessionClient(backend.url.replace("http", "ws"), session_id)
    _draw_much(ann, 1700, 10_240)
    async with ann:
        assert await ann.wait_until_saved(SECONDS)
        async with SessionClient(backend.url.replace("http", "ws"), session_id) as bo:
            await wait_until(
                lambda: len(bo.elements) == 1700, "all elements", within_seconds=SECONDS
            )


@pytest.mark.spec("A3")
async def test_a_yjs_client_sends_three_mib_at_once_and_a_newcomer_has_them(
    backend: BackendProcess, session_id: str
) -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    elements["huge"] = "x" * (3 << 20)
    stock = await backend.connect(session_id)
    await stock.connection.send(make_update(doc.get_update()))
    newcomer = await backend.connect(session_id, max_size=None)
    taken: pycrdt.Doc[Any] = pycrdt.Doc()
    taken_elements: pycrdt.Map[Any] = taken.get("elements", type=pycrdt.Map)
    await newcomer.connection.send(make_step1(taken))
    async with asyncio.timeout(SECONDS):
        while "huge" not in taken_elements:
            frame = parse_y_frame(await newcomer.read_binary())
            if isinstance(frame, SyncUpdate):
                taken.apply_update(frame.update)
    await stock.close()
    await newcomer.close()
