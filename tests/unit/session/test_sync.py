from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycrdt import Doc, Map

from isshoni.session.errors import ProtocolError
from isshoni.session.sync import (
    AwarenessUpdate,
    QueryAwareness,
    SyncStep1,
    SyncUpdate,
    apply_update,
    diff,
    make_awareness,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)


def _doc(**elements: Any) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    kept = doc.get("elements", type=Map)
    for element_id, element in elements.items():
        kept[element_id] = element
    return doc


def test_two_documents_come_together_by_step_1_and_step_2() -> None:
    ours, theirs = _doc(a={"글": 1}), _doc(b=2)
    step1 = parse_y_frame(make_step1(theirs))
    assert isinstance(step1, SyncStep1)
    step2 = parse_y_frame(make_step2(diff(ours, step1.state)))
    assert isinstance(step2, SyncUpdate)
    assert step2.carries_changes
    apply_update(theirs, step2.update)
    assert theirs.get("elements", type=Map).to_py() == {"a": {"글": 1}, "b": 2}


def test_an_empty_step_2_carries_no_changes() -> None:
    doc = _doc(a=1)
    step2 = parse_y_frame(make_step2(diff(doc, doc.get_state())))
    assert isinstance(step2, SyncUpdate)
    assert not step2.carries_changes


def test_the_other_kinds_are_told_apart() -> None:
    assert parse_y_frame(b"\x03") == QueryAwareness()
    assert parse_y_frame(make_awareness(b"abc")) == AwarenessUpdate(b"abc")
    assert parse_y_frame(make_update(b"\x00\x00")) == SyncUpdate(b"\x00\x00")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x03\x00",
        b"\x02\x00",
        b"\x00\x02\x05abc",
        b"\x00\x02\x01abc",
        b"\xff" * 1_000_000,
        b"\x00\x02" + b"\xff" * 1_000_000,
    ],
    ids=lambda frame: frame[:8].hex() or "empty",
)
def test_what_is_no_y_websocket_message_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError) as fault:
        parse_y_frame(frame)
    assert fault.value.code == "bad_frame"


@pytest.mark.parametrize("payload", ["ffb9af44", "80efff3a", "ffffffff0f", ""])
def test_a_count_beyond_the_payload_is_refused_before_room_is_made_for_it(payload: str) -> None:
    with pytest.raises(ProtocolError, match=r"clients in|ends too early"):
        apply_update(Doc(), bytes.fromhex(payload))
    with pytest.raises(ProtocolError, match=r"clients in|ends too early"):
        diff(Doc(), bytes.fromhex(payload))


@given(st.binary(max_size=64))
@example(bytes.fromhex("0001011001") + b"\x00" * 12)
def test_no_bytes_raise_anything_but_a_protocol_error(noise: bytes) -> None:
    for frame in (noise, make_update(noise), make_step1(Doc())[:2] + noise):
        try:
            match parse_y_frame(frame):
                case SyncStep1(state):
                    diff(_doc(a=1), state)
                case SyncUpdate(update):
                    apply_update(_doc(a=1), update)
        except ProtocolError as fault:
            assert fault.code == "bad_frame"


class PanicException(BaseException):
    """What PyO3 raises for a Rust panic; its own class cannot be imported."""


class PanickingDoc(Doc[Any]):
    def apply_update(self, update: bytes) -> None:
        raise PanicException("index out of bounds")


def test_a_panic_of_the_library_is_a_bad_frame() -> None:
    with pytest.raises(ProtocolError, match="index out of bounds"):
        apply_update(PanickingDoc(), b"\x01\x01\x01")


class InterruptedDoc(Doc[Any]):
    def apply_update(self, update: bytes) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_is_not_taken_for_a_panic() -> None:
    with pytest.raises(KeyboardInterrupt):
        apply_update(InterruptedDoc(), b"\x01\x01\x01")
