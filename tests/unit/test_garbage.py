"""Full garbage collections search what is new, and in the end everything."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from isshoni import garbage
from isshoni.garbage import ShortCollections


class Node:
    """An object that can be a part of a cycle."""

    def __init__(self) -> None:
        self.next: Node | None = None


def make_cycle() -> Node:
    node = Node()
    node.next = Node()
    node.next.next = node
    return node


@pytest.fixture
def collections() -> Iterator[ShortCollections]:
    made = ShortCollections()
    yield made
    made.stop()


def test_garbage_is_collected_that_was_made_after_the_last_full_collection(
    collections: ShortCollections,
) -> None:
    collections.start()
    gc.collect()
    gone = weakref.ref(make_cycle())
    gc.collect()
    assert gone() is None


def test_what_survives_a_full_collection_is_not_searched_again(
    collections: ShortCollections,
) -> None:
    collections.start()
    kept = [Node() for _ in range(1000)]
    gc.collect()
    assert gc.get_freeze_count() > len(kept)
    assert not any(isinstance(it, Node) for it in gc.get_objects(generation=2))


def test_frozen_object_is_freed_with_its_last_reference(collections: ShortCollections) -> None:
    collections.start()
    node = Node()
    gone = weakref.ref(node)
    gc.collect()
    del node
    assert gone() is None


def test_frozen_garbage_is_collected_once_there_may_be_too_much(
    collections: ShortCollections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "MOST_GROWTH", 1)
    monkeypatch.setattr(garbage, "ALWAYS_FROZEN", 10_000)
    collections.start()
    cycle = make_cycle()
    gone = weakref.ref(cycle)
    gc.collect()
    del cycle
    gc.collect()
    assert gone() is not None
    more = [Node() for _ in range(20_000)]
    gc.collect()  # too much is frozen now: the next one searches everything
    gc.collect()
    assert gone() is None
    del more


def test_frozen_objects_are_not_counted_at_each_full_collection(
    collections: ShortCollections, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 50_000

    monkeypatch.setattr(gc, "get_freeze_count", count)
    collections.start()
    assert counted == 1
    most = garbage.MOST_GROWTH * 50_000 + garbage.ALWAYS_FROZEN
    for _ in range((most - 50_000) // garbage.SURVIVORS):
        gc.collect()
    assert counted == 1
    gc.collect()  # by now there may be too many
    assert counted == 2


def test_end_restores_the_thresholds(collections: ShortCollections) -> None:
    before = gc.get_threshold()
    collections.start()
    assert gc.get_threshold() == (garbage.YOUNG, garbage.MIDDLE, garbage.OLD)
    collections.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
