"""Which messages are repeats of what the other program has delivered."""

import tracemalloc

from isshoni.relay.core.overlap import MOST_KEPT, Overlap
from isshoni.relay.core.sides import Side


def test_each_delivery_of_one_program_cancels_one_of_the_other() -> None:
    overlap = Overlap(2.0)
    found = [overlap.is_repeat(Side.OLD, (1, b"same"), at) for at in (0.0, 0.1, 0.2)]
    found += [overlap.is_repeat(Side.NEW, (1, b"same"), at) for at in (0.3, 0.4, 0.5, 0.6)]
    assert found == [False] * 3 + [True] * 3 + [False]


def test_a_message_is_forgotten_after_the_window_and_not_before() -> None:
    overlap = Overlap(2.0)
    overlap.is_repeat(Side.OLD, b"a", 0.0)
    overlap.is_repeat(Side.OLD, b"a", 1.5)
    assert overlap.is_repeat(Side.NEW, b"a", 2.5)
    assert not overlap.is_repeat(Side.NEW, b"a", 2.6)


def test_a_long_message_is_not_kept_itself() -> None:
    overlap = Overlap(2.0)
    tracemalloc.start()
    for number in range(50):
        content = bytes([number]) * 1_000_000
        assert not overlap.is_repeat(Side.OLD, (2, content), 0.0)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 2_000_000
    assert overlap.is_repeat(Side.NEW, (2, bytes([7]) * 1_000_000), 0.1)


def test_no_more_than_so_many_messages_are_kept() -> None:
    overlap = Overlap(2.0)
    for number in range(MOST_KEPT + 10):
        overlap.is_repeat(Side.OLD, number, 0.0)
    assert not overlap.is_repeat(Side.NEW, 3, 0.1)
    assert overlap.is_repeat(Side.NEW, MOST_KEPT, 0.1)
