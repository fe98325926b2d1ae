"""No work on a large canvas keeps the event loop for long; `scripts/bench stalls` has the figures.

Measured in CPU time of this process between two turns of the loop, so that a busy machine does not
change the result. A few milliseconds are used; without slices and workers it is a second.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import pycrdt
import pytest

from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.canvas_worker import elements_apart, snapshot_apart
from isshoni.backend.live.large_document import LargeDocument
from isshoni.backend.store.ports import CanvasLog
from isshoni.session.server.yjs_update import EMPTY_STATE
from tests.support.fake_store import FakeSessionStore

MOST_SECONDS = 0.25
ELEMENTS = 5_000


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A canvas of 4 MB, as the page stores it."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    with doc.transaction():
        for number in range(ELEMENTS):
            elements[f"{number}"] = pycrdt.Map({f"property{n}": n * number for n in range(25)})
    return doc.get_update()


async def _longest_turn(work: Awaitable[object]) -> float:
    """Return the most CPU time that this process used between two turns of the loop."""
    task = asyncio.ensure_future(work)
    longest, began = 0.0, time.process_time()
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.process_time()
        longest, began = max(longest, now - began), now
    await task
    return longest


async def test_a_large_canvas_is_opened_sent_viewed_and_dropped_in_short_turns(
    whole: bytes,
) -> None:
    store = FakeSessionStore()
    await store.append_canvas("s", whole)
    canvas = Canvas("s", store, lambda: None, lambda: None)
    assert await _longest_turn(canvas.load()) < MOST_SECONDS
    assert isinstance(canvas.document, LargeDocument)
    began = time.process_time()
    assert len(canvas.document.frames_missing_at(EMPTY_STATE)) > 10
    assert time.process_time() - began < MOST_SECONDS
    assert await _longest_turn(canvas.ensure_view()) < MOST_SECONDS
    view = canvas.view
    assert view is not None
    assert len(view.elements()) == ELEMENTS
    assert await _longest_turn(view.drop()) < MOST_SECONDS


async def test_a_large_canvas_is_compacted_and_exported_in_short_turns(whole: bytes) -> None:
    log = CanvasLog(whole, [], 1)
    assert await _longest_turn(snapshot_apart(log, frozenset())) < MOST_SECONDS
    assert await _longest_turn(elements_apart(log)) < MOST_SECONDS
