"""What single connections carried."""

from isshoni.verify.wire import WireFaults, WireOrder


def _faults(*events: tuple[int, int, bool]) -> WireFaults:
    wire = WireOrder()
    for connection, seq, in_replay in events:
        wire.record(connection, seq, in_replay=in_replay)
    return WireFaults.union([wire])


def _live(*seqs: int) -> list[tuple[int, int, bool]]:
    return [(1, seq, False) for seq in seqs]


def test_events_in_order_are_fine() -> None:
    assert _faults(*_live(5, 6, 7)) == WireFaults()


def test_the_same_events_on_two_connections_are_fine() -> None:
    assert _faults(*_live(5, 6), (2, 5, True), (2, 6, True), *_live(7), (2, 7, False)) == (
        WireFaults()
    )


def test_an_event_twice_on_one_connection_is_doubled() -> None:
    assert _faults(*_live(5, 6, 6, 7)) == WireFaults(doubled=1)


def test_a_skipped_event_is_lost_even_if_a_replay_brings_it_later() -> None:
    mended = [(1, 6, True), (1, 7, True)]
    assert _faults(*_live(5, 7), *mended, *_live(8)) == WireFaults(lost=1)


def test_a_late_event_is_reordered_not_lost() -> None:
    assert _faults(*_live(5, 7, 6, 8)) == WireFaults(reordered=1)


def test_a_fault_that_all_users_met_counts_once() -> None:
    wires = [WireOrder(), WireOrder()]
    for wire in wires:
        for seq in (1, 3):
            wire.record(1, seq, in_replay=False)
    assert WireFaults.union(wires) == WireFaults(lost=1)
