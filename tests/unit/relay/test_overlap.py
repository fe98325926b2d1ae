"""Which messages are repeats of what the other program has delivered."""

import tracemalloc

from isshoni.relay.core.overlap import MOST_KEPT, Overlap


def test_each_delivery_of_one_program_cancels_one_of_the_other() -> None:
    overlap = Overlap(2.0)
    found = [overlap.is_repeat(0, (1, b"same"), at) for at in (0.0, 0.1, 0.2)]
    found += [overlap.is_repeat(1, (1, b"same"), at) for at in (0.3, 0.4, 0.5, 0.6)]
    assert found == [False] * 3 + [True] * 3 + [False]


def test_a_message_is_forgotten_after_the_window_and_not_before() -> None:
    overlap = Overlap(2.0)
    overlap.is_repeat(0, b"a", 0.0)
    overlap.is_repeat(0, b"a", 1.5)
    assert overlap.is_repeat(1, b"a", 2.5)
    assert not overlap.is_repeat(1, b"a", 2.6)


def test_a_long_message_is_not_kept_itself() -> None:
    overlap = Overlap(2.0)
    tracemalloc.start()
    for number in range(50):
        content = bytes([number]) * 1_000_000
        assert not overlap.is_repeat(0, (2, content), 0.0)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 2_000_000
    assert overlap.is_repeat(1, (2, bytes([7]) * 1_000_000), 0.1)


def test_no_more_than_so_many_messages_are_kept() -> None:
    overlap = Overlap(2.0)
    for number in range(MOST_KEPT + 10):
        overlap.is_repeat(0, number, 0.0)
    assert not overlap.is_repeat(1, 3, 0.1)
    assert overlap.is_repeat(1, MOST_KEPT, 0.1)


def test_a_third_connection_is_compared_with_both_before_it() -> None:
    overlap = Overlap(2.0)
    assert not overlap.is_repeat(0, b"first", 0.0)
    assert overlap.is_repeat(1, b"first", 0.1)
    assert not overlap.is_repeat(1, b"second", 0.2)
    found = [overlap.is_repeat(2, key, 0.3) for key in (b"first", b"second", b"third")]
    assert found == [True, True, False]
    assert overlap.is_repeat(0, b"second", 0.4)
    assert not overlap.is_repeat(2, b"second", 0.5)


def test_a_connection_that_delivers_the_same_again_repeats_nothing() -> None:
    overlap = Overlap(2.0)
    assert [overlap.is_repeat(0, b"tick", at) for at in range(5)] == [False] * 5
    assert overlap.is_repeat(1, b"tick", 4.5)


def test_a_message_that_the_new_program_kept_for_long_is_still_a_repeat() -> None:
    overlap = Overlap(window_seconds=2.0)
    assert not overlap.is_repeat(0, "early", 10.0)
    overlap.since = 11.0
    assert not overlap.is_repeat(0, "late", 11.5)
    assert overlap.is_repeat(1, "early", 17.0)
    assert overlap.is_repeat(1, "late", 17.0)


def test_of_equal_messages_the_client_gets_as_many_as_one_program_sent_at_most() -> None:
    overlap = Overlap(2.0)
    old, both_old, both_new, new = [
        overlap.is_repeat(number, b"same", at)
        for number, at in ((0, 0.0), (0, 0.1), (1, 0.2), (1, 0.3))
    ]
    assert (old, both_old, both_new) == (False, False, True)
    assert new  # two were sent by each, three in all: this one looks like a repeat
