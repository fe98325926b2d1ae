"""A reader at the end tells a canvas that lacks an edit from one that was never sent."""

import pytest
from pycrdt import Doc

from isshoni.client.canvas import Canvas
from isshoni.session.sync import make_step1, make_update
from isshoni.verify import readers
from isshoni.verify.lean_canvas import decode_state
from isshoni.verify.readers import wait_for_canvas


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYNC_SECONDS", "CANVAS_SECONDS", "POLL_SECONDS"):
        monkeypatch.setattr(readers, name, 0.001)


def _sent_by_server(canvas: Canvas, *updates: bytes) -> Canvas:
    canvas.begin_sync()
    for update in updates:
        canvas.take_frame(make_update(update), is_current=True)
    canvas.take_frame(make_step1(Doc()), is_current=True)
    return canvas


async def test_a_canvas_that_was_never_sent_is_no_evidence_of_a_loss() -> None:
    canvas = Canvas(lambda frame: None)
    canvas.begin_sync()
    assert not await wait_for_canvas(canvas, {1: 7})


async def test_a_canvas_that_was_sent_counts_whole_or_not() -> None:
    author = Canvas(lambda frame: None)
    author.draw("a", {"x": 1})
    update, state = author.doc.get_update(), decode_state(author.doc.get_state())
    assert await wait_for_canvas(_sent_by_server(Canvas(lambda frame: None), update), state)
    assert await wait_for_canvas(_sent_by_server(Canvas(lambda frame: None)), state)
