import gc
import weakref
from typing import Any

import pytest
from pycrdt import Doc, Map

from isshoni.client.canvas import Canvas
from isshoni.client.client import SessionClient
from isshoni.session.errors import ProtocolError
from isshoni.session.sync import SyncUpdate, apply_update, make_step1, make_update, parse_y_frame


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def canvas(sent: list[bytes]) -> Canvas:
    return Canvas(sent.append)


def _server_doc(frames: list[bytes]) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for frame in frames:
        sync = parse_y_frame(frame)
        assert isinstance(sync, SyncUpdate)
        apply_update(doc, sync.update)
    return doc


def test_nothing_is_sent_before_the_server_says_what_it_has(
    canvas: Canvas, sent: list[bytes]
) -> None:
    canvas.begin_sync()
    canvas.draw("x", {})
    assert not sent
    canvas.take_frame(make_step1(Doc()), is_current=True)
    assert len(sent) == 1
    canvas.take_saved(1)
    assert canvas.unsaved_edits == 0


def test_a_step_1_of_an_older_connection_is_not_answered(canvas: Canvas, sent: list[bytes]) -> None:
    canvas.begin_sync()
    canvas.take_frame(make_step1(Doc()), is_current=False)
    assert not sent


def test_saved_covers_the_edits_of_its_frames_and_no_later_one(
    canvas: Canvas, sent: list[bytes]
) -> None:
    canvas.draw("early", {})
    canvas.begin_sync()
    canvas.take_frame(make_step1(Doc()), is_current=True)
    canvas.draw("x", {})
    canvas.draw("y", {})
    assert (len(sent), canvas.unsaved_edits) == (3, 3)
    canvas.take_saved(2)
    assert canvas.unsaved_edits == 1


def test_a_server_that_lacks_nothing_has_saved_everything(
    canvas: Canvas, sent: list[bytes]
) -> None:
    canvas.begin_sync()
    canvas.take_frame(make_step1(Doc()), is_current=True)
    canvas.draw("x", {})
    held = _server_doc(sent)
    canvas.begin_sync()
    assert canvas.unsaved_edits == 1
    canvas.take_frame(make_step1(held), is_current=True)
    assert canvas.unsaved_edits == 0


@pytest.mark.parametrize("frames", [-1, 1, 10**9])
def test_saved_beyond_what_was_sent_is_refused(canvas: Canvas, frames: int) -> None:
    canvas.begin_sync()
    with pytest.raises(ProtocolError, match="bad_message"):
        canvas.take_saved(frames)


def test_what_others_draw_is_not_an_edit_of_ours(canvas: Canvas, sent: list[bytes]) -> None:
    other = Canvas(lambda frame: None)
    other.draw("x", {"kind": "box"})
    canvas.begin_sync()
    canvas.take_frame(make_update(other.doc.get_update()), is_current=True)
    assert canvas.elements == {"x": {"kind": "box"}}
    assert canvas.unsaved_edits == 0
    assert not sent


def test_a_change_beyond_a_frame_goes_in_pieces(canvas: Canvas, sent: list[bytes]) -> None:
    with canvas.doc.transaction():
        for n in range(300):
            canvas.draw(f"{n}", {"text": "x" * 10_000})
    canvas.begin_sync()
    canvas.take_frame(make_step1(Doc()), is_current=True)
    canvas.draw("later", {})
    assert max(map(len, sent)) <= 1 << 20
    pieces = len(sent) - 1
    assert pieces > 3
    server: Doc[Any] = _server_doc(sent)
    assert len(server.get("elements", type=Map)) == 301
    canvas.take_saved(pieces - 1)
    assert canvas.unsaved_edits == 2
    canvas.take_saved(pieces + 1)
    assert canvas.unsaved_edits == 0


def test_a_value_that_no_frame_holds_is_taken_off_with_words_and_all_else_goes_on() -> None:
    sent: list[bytes] = []
    refusals: list[str] = []
    canvas = Canvas(sent.append, refusals.append)
    canvas.begin_sync()
    canvas.take_frame(make_step1(Doc()), is_current=True)
    sent.clear()
    canvas.draw("huge", {"text": "x" * (2 << 20)})
    canvas.draw("later", {"x": 1})
    server = _server_doc(sent)
    assert server.get("elements", type=Map).to_py() == {"later": {"x": 1}}
    assert "make it smaller" in refusals[0]
    canvas.take_frame(make_step1(server), is_current=True)
    assert canvas.elements == {"later": {"x": 1}}
    assert sum(map(len, sent)) < 1000
    canvas.draw("huge", {"x": 2})
    assert _server_doc(sent).get("elements", type=Map).to_py() == canvas.elements


def test_a_canvas_that_is_no_longer_used_is_freed(sent: list[bytes]) -> None:
    canvas = Canvas(sent.append)
    canvas.draw("e-1", {"x": 1})
    references = (weakref.ref(canvas), weakref.ref(canvas.doc))
    del canvas
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_client_that_was_closed_is_freed_with_its_document() -> None:
    client = SessionClient("ws://127.0.0.1:1", "team")
    client.draw("e-1", {"x": 1})
    references = (weakref.ref(client), weakref.ref(client.doc))
    del client
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_document_that_outlives_its_canvas_can_still_be_read(sent: list[bytes]) -> None:
    canvas = Canvas(sent.append)
    canvas.draw("e-1", {"x": 1})
    doc = canvas.doc
    del canvas
    gc.collect()
    doc.get("elements", type=Map)["e-2"] = {"x": 2}
    assert len(doc.get("elements", type=Map)) == 2
