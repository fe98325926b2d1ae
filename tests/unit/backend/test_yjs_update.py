"""Checks on updates: what Yjs writes passes, what would break its decoder does not."""

import random
from typing import Any

import pycrdt
import pytest

from isshoni.backend.live.small_document import SmallDocument
from isshoni.session.server.yjs_update import (
    check_state,
    check_update,
    parse_awareness,
)
from isshoni.session.yjs_walk import BrokenUpdate


def _updates() -> list[bytes]:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    elements["plain"] = {
        "x": 1,
        "y": -2.5,
        "big": 2**40,
        "on": True,
        "no": None,
        "한": ["글", b"b"],
    }
    elements["map"] = pycrdt.Map({"a": pycrdt.Array([1, 2, pycrdt.Text("text")])})
    text: pycrdt.Text = doc.get("text", type=pycrdt.Text)
    text += "hello 한글 🙂"
    text.format(0, 3, {"bold": True})
    text.insert_embed(2, {"image": "x"})
    del text[1:4]
    xml: pycrdt.XmlFragment = doc.get("xml", type=pycrdt.XmlFragment)
    xml.children.append(pycrdt.XmlElement("p", {"class": "c"}, [pycrdt.XmlText("inside")]))
    del elements["plain"]
    elements["plain"] = "again"
    doc.unobserve(subscription)
    return [*updates, doc.get_update(), b"\x00\x00"]


@pytest.mark.parametrize("number", range(len(_updates())))
def test_everything_that_yjs_writes_passes(number: int) -> None:
    check_update(_updates()[number])


@pytest.mark.parametrize("seed", range(30))
def test_whatever_passes_can_be_applied_or_is_told_as_broken(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        update = bytearray(dice.choice(_updates()))
        for _ in range(dice.randint(1, 4)):
            update[dice.randrange(len(update))] = dice.randrange(256)
        try:
            check_update(bytes(update))
            SmallDocument().apply(bytes(update))
        except BrokenUpdate:
            continue


@pytest.mark.parametrize("state", [b"", b"\x01", b"\xff\xff\xff\xff\x0f\x01", b"\x00\x00"])
def test_a_broken_state_vector_is_refused(state: bytes) -> None:
    with pytest.raises(BrokenUpdate):
        check_state(state)


@pytest.mark.parametrize(
    "payload", [b"", b"\x01", b"\x01\x01\x01\x02{", b"\x01\x01\x01\x02{x", b"\x00junk"]
)
def test_broken_awareness_is_refused(payload: bytes) -> None:
    with pytest.raises(BrokenUpdate):
        parse_awareness(payload)


def test_awareness_of_one_who_left_passes() -> None:
    parse_awareness(b"\x01\x05\x02\x04null")
