"""A lean user's canvas against a client's: the same frames make the same canvas."""

import random
from typing import Any

import pytest
from pycrdt import Doc

from isshoni.client.canvas import Canvas
from isshoni.session.errors import ProtocolError
from isshoni.session.sync import SyncUpdate, apply_update, make_step1, make_update, parse_y_frame
from isshoni.verify import lean_canvas
from isshoni.verify.lean_canvas import LeanCanvas, SessionUpdates, decode_state, encode_state


class Server:
    """A document, the frames that its clients send, and the updates that follow from them."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.updates: list[bytes] = []

    def receive(self, frame: bytes) -> None:
        match parse_y_frame(frame):
            case SyncUpdate(update) as changes if changes.carries_changes:
                apply_update(self.doc, update)
                self.updates.append(update)


def _connect(canvas: Canvas, server: Server) -> None:
    canvas.begin_sync()
    canvas.take_frame(make_step1(server.doc), is_current=True)


def _draw(server: Server, canvases: list[Canvas], edits: int) -> None:
    rng = random.Random(1)
    for number in range(edits):
        author = rng.randrange(len(canvases))
        canvases[author].draw(f"u{author}-{number % 7}", {"version": number, "text": "é" * 3})


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_same_updates_in_any_order_make_the_canvas_that_a_client_has(shuffled: bool) -> None:
    server, session = Server(), SessionUpdates()
    authors = [Canvas(server.receive), LeanCanvas(session, server.receive)]
    for author in authors:
        _connect(author, server)
    _draw(server, authors, 60)
    whole, lean = Canvas(lambda frame: None), LeanCanvas(session, lambda frame: None)
    updates = list(server.updates)
    for update in updates:
        whole.take_frame(make_update(update), is_current=True)
    if shuffled:
        random.Random(2).shuffle(updates)
    for update in updates:
        lean.take_frame(make_update(update), is_current=True)
    assert lean.elements == whole.elements
    assert len(lean.elements) == 14
    assert lean.state == decode_state(whole.doc.get_state()) == decode_state(server.doc.get_state())


def test_an_update_that_one_user_was_not_sent_is_missing_from_its_canvas_only() -> None:
    server, session = Server(), SessionUpdates()
    author = LeanCanvas(session, server.receive)
    _connect(author, server)
    author.draw("a", {"version": 1})
    author.draw("b", {"version": 2})
    author.draw("a", {"version": 3})
    first, second = (LeanCanvas(session, lambda frame: None) for _ in range(2))
    for number, update in enumerate(server.updates):
        first.take_frame(make_update(update), is_current=True)
        if number != 1:
            second.take_frame(make_update(update), is_current=True)
    assert first.state == author.state != second.state
    assert first.elements == author.elements == {"a": {"version": 3}, "b": {"version": 2}}
    assert second.elements.keys() < first.elements.keys()
    assert first.updates == author.updates != second.updates


def test_changed_content_under_the_same_clocks_is_another_canvas() -> None:
    server, session = Server(), SessionUpdates()
    author = LeanCanvas(session, server.receive)
    _connect(author, server)
    author.draw("a", {"text": "right"})
    reader = LeanCanvas(session, lambda frame: None)
    wrong = server.updates[0].replace(b"right", b"wrong")
    reader.take_frame(make_update(wrong), is_current=True)
    assert reader.state == author.state
    assert reader.elements != author.elements


def test_a_server_that_lost_its_end_is_sent_what_the_user_was_sent_by_others() -> None:
    before, after, session = Server(), Server(), SessionUpdates()
    author, reader = LeanCanvas(session, before.receive), LeanCanvas(session, after.receive)
    _connect(author, before)
    author.draw("a", {"version": 1})
    reader.take_frame(make_update(before.updates[0]), is_current=True)
    _connect(reader, after)
    assert decode_state(after.doc.get_state()) == author.state


def test_edits_made_offline_are_sent_and_saved_once_connected() -> None:
    server = Server()
    canvas = LeanCanvas(SessionUpdates(), server.receive)
    canvas.draw("a", {"version": 1})
    canvas.draw("a", {"version": 2})
    assert (server.updates, canvas.unsaved_edits) == ([], 2)
    _connect(canvas, server)
    canvas.take_saved(1)
    assert canvas.unsaved_edits == 0
    assert decode_state(server.doc.get_state()) == canvas.state


@pytest.mark.parametrize("size", [1, 80, 120, 130, 16_000, 17_000])
def test_an_update_of_any_length_is_kept(size: int) -> None:
    server, session = Server(), SessionUpdates()
    author = LeanCanvas(session, server.receive)
    _connect(author, server)
    author.draw("a", {"text": "x" * size})
    reader = LeanCanvas(session, lambda frame: None)
    reader.take_frame(make_update(server.updates[0]), is_current=True)
    assert reader.elements == {"a": {"text": "x" * size}}


@pytest.mark.parametrize("frame", [b"\0\2", b"\0\2\5\0\0", b"\0\2\x82\0\0", b"\0\2\1\7"])
def test_a_frame_with_a_wrong_length_or_no_update_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        LeanCanvas(SessionUpdates(), lambda frame: None).take_frame(frame, is_current=True)


def test_its_first_frame_asks_for_what_it_lacks() -> None:
    server, session = Server(), SessionUpdates()
    author = LeanCanvas(session, server.receive)
    _connect(author, server)
    author.draw("a", {"version": 1})
    assert decode_state(encode_state(author.state)) == author.state
    reader = LeanCanvas(session, lambda frame: None)
    assert reader.begin_sync() == make_step1(Doc())
    assert author.begin_sync() == make_step1(server.doc)


def test_many_updates_are_folded_into_one_that_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lean_canvas, "FOLD_ABOVE", 10)
    server, session = Server(), SessionUpdates()
    author = LeanCanvas(session, server.receive)
    _connect(author, server)
    _draw(server, [author], 95)
    assert len(author.updates) <= 10
    assert decode_state(server.doc.get_state()) == author.state
    assert {id: element["version"] for id, element in author.elements.items()} == {
        f"u0-{number % 7}": number for number in range(88, 95)
    }
