"""A full canvas is emptied by clients whose own drawing it refused, over real sockets."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest

from isshoni.client import SessionClient
from tests.integration.client.recorder import QUICK
from tests.support.backend import BackendProcess
from tests.support.foreign_clients import Report, YWebsockets, has_y_websocket
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

SECONDS = 60.0
LIMIT = 600_000
"""Beyond what is read in a thread: `canvas_worker` runs."""


@contextmanager
def _small_canvases(valkey: ValkeyServer) -> Iterator[BackendProcess]:
    limit = {"ISSHONI_MAX_CANVAS_BYTES": str(LIMIT)}
    with (
        TemporaryDirectory() as directory,
        BackendProcess(valkey.url, Path(directory) / "log", program=None, **limit) as backend,
    ):
        backend.wait_until_ready()
        yield backend


def _refusals(backend: BackendProcess) -> int:
    return int(backend.status()["counters"]["canvas_full"])


@pytest.mark.spec("A7")
@pytest.mark.parametrize("at_once", [False, True], ids=["afterwards", "in the same change"])
async def test_our_client_erases_what_fills_the_canvas_and_its_drawing_follows(
    valkey: ValkeyServer, session_id: str, at_once: bool
) -> None:
    with _small_canvases(valkey) as backend:
        url = backend.url.replace("http", "ws")
        async with (
            SessionClient(url, session_id, settings=QUICK) as ann,
            SessionClient(url, session_id, settings=QUICK) as bo,
        ):
            assert await ann.wait_until_restored(SECONDS)
            ann.draw("big", {"text": "x" * 500_000})
            ann.draw("other", {"x": 1})
            assert await ann.wait_until_saved(SECONDS)
            with ann.doc.transaction():
                ann.draw("other", {"x": 2})
                ann.draw("mine", {"text": "y" * 300_000})
                if at_once:
                    ann.erase("big")
            await wait_until(lambda: _refusals(backend) > 0, "refused", within_seconds=SECONDS)
            ann.erase("big")
            await wait_until(lambda: "mine" in bo.elements, "room", within_seconds=SECONDS)
            assert await ann.wait_until_saved(SECONDS)
            # What is saved reaches another client in its own time, and in several changes.
            await wait_until(
                lambda: {**bo.elements} == {**ann.elements}, "the same", within_seconds=SECONDS
            )
            assert bo.elements.keys() == {"other", "mine"}
            assert bo.elements["other"] == {"x": 2}


async def _report_when(
    clients: YWebsockets, condition: Callable[[Report], bool], what: str
) -> Report:
    deadline = monotonic() + SECONDS
    while True:
        report = await clients.report()
        if condition(report):
            return report
        assert monotonic() < deadline, f"never: {what}; {report.documents, report.connects}"
        await asyncio.sleep(0.05)


@pytest.mark.skipif(not has_y_websocket(), reason="NOT RUN: needs node and `npm ci`")
@pytest.mark.spec("A7")
async def test_a_stock_client_erases_what_fills_the_canvas_and_its_drawing_follows(
    valkey: ValkeyServer, session_id: str
) -> None:
    with _small_canvases(valkey) as backend:
        url = f"ws://127.0.0.1:{backend.port}"
        async with YWebsockets.run(url, session_id, 2, 3600) as clients:
            await _report_when(clients, lambda now: now.connects == [1, 1], "both connected")
            await clients.paste(500_000, "big")
            await _report_when(clients, lambda now: now.documents[1] == {"big"}, "big")
            await clients.paste(300_000, "mine")
            await wait_until(lambda: _refusals(backend) > 0, "refused", within_seconds=SECONDS)
            await clients.erase("big")
            report = await _report_when(clients, lambda now: now.documents[1] == {"mine"}, "mine")
            assert report.connects == [2, 1]


@pytest.mark.skipif(not has_y_websocket(), reason="NOT RUN: needs node and `npm ci`")
@pytest.mark.spec("A7")
async def test_a_client_that_was_sent_the_full_canvas_again_is_let_in_once_there_is_room(
    valkey: ValkeyServer, session_id: str
) -> None:
    with _small_canvases(valkey) as backend:
        url = f"ws://127.0.0.1:{backend.port}"
        async with YWebsockets.run(url, session_id, 2, 3600) as clients:
            await _report_when(clients, lambda now: now.connects == [1, 1], "both connected")
            await clients.paste(500_000, "big")
            await clients.paste(500_000, "big")
            await _report_when(clients, lambda now: now.documents[1] == {"big"}, "big")
            await clients.paste(300_000, "mine")
            await wait_until(lambda: _refusals(backend) > 0, "refused", within_seconds=SECONDS)
            await clients.erase("big")
            await _report_when(clients, lambda now: now.documents[1] == {"mine"}, "mine")
