"""What a deploy did to clients, as the comparison counts it."""

from benchmarks.side_by_side.ledger import Ledger


def test_the_gap_is_that_of_all_clients_those_never_cut_included() -> None:
    ledger = Ledger.from_gaps(4, 1, [0.0, 0.0, 0.0, 900.4], messages=10, lost=0, doubled=0)
    assert (ledger.gap_p50_ms, ledger.gap_p99_ms) == (0, 900)


def test_the_ledger_of_stock_clients_is_read() -> None:
    found = {
        "clients": 2,
        "cut": 2,
        "gaps_ms": [1000.0, 2000.0],
        "messages": 50,
        "lost": 3,
        "lost_deliveries": 4,
        "doubled": 1,
    }
    ledger = Ledger.of(found)
    assert (ledger.cut, ledger.lost, ledger.doubled) == (2, 3, 1)
    assert (ledger.gap_p50_ms, ledger.gap_p99_ms) == (1000, 2000)
    assert ledger.to_json()["messages"] == 50


def test_a_ledger_says_in_a_line_what_happened() -> None:
    ledger = Ledger.from_gaps(100, 100, [1000.0] * 100, messages=800, lost=325, doubled=0)
    assert ledger.brief == (
        "100 of 100 clients cut, gap p50 1,000 ms, p99 1,000 ms; "
        "of 800 messages 325 lost, 0 doubled"
    )
