"""Canvas changes larger than a frame: from our clients, from Yjs clients, and back to both."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import pycrdt
import pytest

from isshoni.client.client import SessionClient
from isshoni.session.sync import SyncUpdate, make_step1, make_update, parse_y_frame
from tests.support.backend import BackendProcess
from tests.support.foreign_clients import Report, YWebsockets, has_y_websocket
from tests.support.waiting import wait_until

SECONDS = 60.0
needs_y_websocket = pytest.mark.skipif(
    not has_y_websocket(), reason="NOT RUN: needs node and `npm ci`"
)


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


async def _report_when(
    clients: YWebsockets, condition: Callable[[Report], bool], what: str
) -> Report:
    deadline = monotonic() + SECONDS
    while True:
        report = await clients.report()
        if condition(report):
            return report
        assert monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.05)


@needs_y_websocket
@pytest.mark.spec("A4")
async def test_what_a_stock_client_pastes_reaches_the_others_on_their_first_connection(
    backend: BackendProcess, session_id: str
) -> None:
    url = f"ws://127.0.0.1:{backend.port}"
    async with YWebsockets.run(url, session_id, 2, 3600) as clients:
        await _report_when(clients, lambda now: now.connects == [1, 1], "both connected")
        await clients.paste(3 << 20)
        report = await _report_when(clients, lambda now: "pasted" in now.documents[1], "pasted")
    assert report.connects == [1, 1]


@needs_y_websocket
@pytest.mark.spec("A4")
async def test_a_stock_client_does_not_send_what_no_frame_holds_for_ever(
    backend: BackendProcess, session_id: str
) -> None:
    url = f"ws://127.0.0.1:{backend.port}"
    async with YWebsockets.run(url, session_id, 2, 3600) as clients:
        await _report_when(clients, lambda now: now.connects == [1, 1], "both connected")
        await clients.paste(5 << 20)
        report = await _report_when(clients, lambda now: now.stays_away[0], "it stays away")
    assert report.connects == [1, 1]
    assert report.stays_away == [True, False]
