"""Holes: what is missing is found by the state vector, and told once."""

from typing import Any

import pycrdt

from isshoni.session.server.holes import HoleWatch
from isshoni.session.server.yjs_update import find_starts, parse_state


def make_updates(client_id: int, count: int) -> list[bytes]:
    """Make so many updates of one author, each of which builds on the one before."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
    elements = doc.get("elements", type=pycrdt.Map)
    updates = []
    for number in range(count):
        before = doc.get_state()
        elements["e"] = f"한글 {number}"
        updates.append(doc.get_update(before))
    return updates


def apply(watch: HoleWatch, doc: "pycrdt.Doc[Any]", *updates: bytes) -> dict[int, int]:
    for update in updates:
        doc.apply_update(update)
        watch.record(update)
    return watch.find_holes(doc.get_state())


def test_whole_documents_have_no_holes() -> None:
    watch, doc = HoleWatch(), pycrdt.Doc[Any]()
    assert apply(watch, doc, *make_updates(5, 3), *make_updates(6, 2)) == {}
    both = pycrdt.merge_updates(*make_updates(7, 2), *make_updates(8, 4))
    assert sorted(find_starts(both)) == [(7, 0), (8, 0)]
    assert apply(watch, doc, both) == {}
    assert parse_state(doc.get_state()) == {5: 3, 6: 2, 7: 2, 8: 4}


def test_a_missing_update_is_a_hole_until_it_comes() -> None:
    watch, doc = HoleWatch(), pycrdt.Doc[Any]()
    first, second, third, fourth = make_updates(5, 4)
    assert apply(watch, doc, first, third) == {5: 1}
    assert apply(watch, doc, fourth) == {}, "it was told"
    assert apply(watch, doc, second) == {}
    assert parse_state(doc.get_state()) == {5: 4}
    late = make_updates(5, 6)
    assert apply(watch, doc, late[5]) == {5: 4}, "another hole"
