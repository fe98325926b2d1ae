"""A log that lost its end, put together again out of what others hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.errors import ProtocolError
from isshoni.session.messages import ChatEnvelope, encode_envelope, event_frame
from isshoni.session.recovery import (
    TAIL_BYTES,
    TAIL_EVENTS,
    EventTail,
    LogMac,
    LostEntry,
    Recovery,
    read_entry,
)
from tests.unit.session.vectors import cases

MACS = LogMac("secret of the tests")


def make_entry(seq: int, text: str = "hi") -> LostEntry:
    return read_entry(seq, encode_envelope(ChatEnvelope(f"c{seq % 3}", seq, text, 5)))


def make_event(seq: int, text: str = "hi", session_id: str = "s", epoch: str = "e") -> bytes:
    envelope = make_entry(seq, text).envelope
    return event_frame(seq, envelope, MACS.sign(session_id, epoch, seq, envelope))


class Redis:
    """The log as the scripts keep it: each entry at its own seq, only at the end."""

    def __init__(self, entries: list[LostEntry]) -> None:
        self.entries = list(entries)

    def refill(self, run: list[LostEntry]) -> int:
        for entry in run:
            if entry.seq == len(self.entries) + 1:
                self.entries.append(entry)
        return len(self.entries)


@pytest.mark.spec("A4")
@given(st.data())
def test_the_log_is_whole_if_and_only_if_everything_missing_is_held_by_somebody(
    data: st.DataObject,
) -> None:
    truth = [make_entry(seq) for seq in range(1, data.draw(st.integers(1, 25)) + 1)]
    head = data.draw(st.integers(0, len(truth)))
    holders = data.draw(st.lists(st.sets(st.sampled_from(truth)), max_size=4))
    redis = Redis(truth[:head])
    # Two processes at once, each with the answers in an order of its own.
    recoveries = [Recovery(head, len(truth)) for _ in range(2)]
    answers = [(recovery, held) for recovery in recoveries for held in holders]
    for recovery, held in data.draw(st.permutations(answers)):
        recovery.offer(data.draw(st.permutations(sorted(held, key=lambda e: e.seq))))
        while run := recovery.next_run(data.draw(st.integers(1, 5))):
            recovery.advance(redis.refill(run))
    assert redis.entries == truth[: len(redis.entries)], "a prefix: nothing skipped or moved"
    held_by_all = set(truth[:head]).union(*holders)
    expected = next((i for i, entry in enumerate(truth) if entry not in held_by_all), len(truth))
    assert len(redis.entries) == expected
    for recovery in recoveries:
        recovery.advance(len(redis.entries))
        assert recovery.is_whole is (expected == len(truth))


def test_an_offer_beyond_what_was_known_shows_that_there_was_more() -> None:
    recovery = Recovery(2, 3)
    recovery.offer([make_entry(seq) for seq in (2, 3, 5)])
    assert [entry.seq for entry in recovery.next_run(10)] == [3]
    recovery.advance(3)
    assert recovery.next_run(10) == []
    assert not recovery.is_whole


@pytest.mark.spec("A4")
@given(st.integers(1, 2**53 - 1), st.text(min_size=1, max_size=20))
def test_a_genuine_event_reads_back_also_when_json_parsed_and_wrote_it(seq: int, text: str) -> None:
    try:
        event = make_event(seq, text)
    except UnicodeEncodeError:
        return  # lone surrogates never get into an envelope
    expected = make_entry(seq, text)
    assert MACS.verify("s", "e", event) == expected
    rewritten = json.dumps(json.loads(event), separators=(",", ":"), ensure_ascii=False).encode()
    if "\x7f" not in text:
        assert MACS.verify("s", "e", b" " + rewritten + b"\n") == expected


@pytest.mark.spec("A4", "A7")
@given(st.data())
def test_an_event_changed_in_any_byte_is_refused(data: st.DataObject) -> None:
    event = bytearray(make_event(data.draw(st.integers(1, 999))))
    at = data.draw(st.integers(0, len(event) - 1))
    event[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != event[at]))
    with pytest.raises(ProtocolError):
        MACS.verify("s", "e", bytes(event))


@pytest.mark.spec("A7")
def test_an_event_belongs_to_its_session_log_place_and_deployment() -> None:
    event = make_event(7)
    for session_id, epoch in (("other", "e"), ("s", "other"), ("se", ""), ("", "se")):
        with pytest.raises(ProtocolError, match="not of this server"):
            MACS.verify(session_id, epoch, event)
    with pytest.raises(ProtocolError, match="not of this server"):
        MACS.verify("s", "e", event.replace(b'"seq":7', b'"seq":8'))
    with pytest.raises(ProtocolError, match="not of this server"):
        LogMac("another secret").verify("s", "e", event)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_check(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        MACS.verify("s", "e", garbage)


def test_a_tail_keeps_the_last_events_of_one_log_within_its_bounds() -> None:
    tail = EventTail()
    for seq in range(1, TAIL_EVENTS + 11):
        tail.add("e", seq, b"%d" % seq)
    assert len(tail.after("e", 0)) == TAIL_EVENTS
    assert tail.after("e", TAIL_EVENTS + 8) == [b"1009", b"1010"]
    assert tail.at("e", TAIL_EVENTS + 10) == b"1010"
    assert tail.at("e", TAIL_EVENTS) is None
    tail.add("e", 5, b"late")
    assert tail.at("e", TAIL_EVENTS + 10) == b"1010"
    tail.add("other", 1, b"x" * TAIL_BYTES)
    assert tail.after("e", 0) == []
    tail.add("other", 2, b"y")
    assert tail.after("other", 0) == [b"y"]


@cases("event_tail")
def test_tail_vector(steps: list[dict[str, Any]]) -> None:
    tail = EventTail()
    for step in steps:
        epoch, seq = step["epoch"], step["seq"]
        match step["do"]:
            case "add":
                tail.add(epoch, seq, b"%d" % seq)
            case "at":
                event = tail.at(epoch, seq)
                assert (None if event is None else int(event)) == step["is"]
            case "after":
                assert [int(event) for event in tail.after(epoch, seq)] == step["is"]
            case other:
                pytest.fail(f"unknown step {other}")


def make_message(seq: int, n: int, text: str, at: int = 5) -> LostEntry:
    return read_entry(seq, encode_envelope(ChatEnvelope(f"c{n % 3}", n, text, at)))


@pytest.mark.spec("A4")
@given(st.data())
def test_a_log_continued_by_others_is_left_as_it_is_and_what_it_lacks_is_listed_once(
    data: st.DataObject,
) -> None:
    start = data.draw(st.integers(0, 6))
    shared = [make_message(seq, seq, "shared") for seq in range(1, start + 1)]
    old = [
        make_message(start + i, start + i, "old") for i in range(1, data.draw(st.integers(1, 6)))
    ]
    new: list[LostEntry] = []
    for i in range(1, data.draw(st.integers(2, 8))):
        # Some of the old end was sent again, and got another time and place.
        again = data.draw(st.sampled_from([None, *old]))
        n, text = (100 + i, "new") if again is None else (again.n, "old")
        new.append(make_message(start + i, n, text, at=6))
    log = {entry.seq: entry for entry in shared + new}
    recovery = Recovery(len(log), len(log), log)
    chain, held = shared + old, set[LostEntry]()
    for _ in range(data.draw(st.integers(1, 4))):
        first = data.draw(st.integers(0, len(chain)))
        copy = chain[first : data.draw(st.integers(first, len(chain)))]
        held |= set(copy) - set(shared)
        recovery.offer(copy)
        assert not recovery.next_run(10), "nothing goes behind an entry that is another one"
    assert not held or not recovery.is_whole
    sent_again = {(entry.n, "old") for entry in new}
    lacking = [entry for entry in old if entry in held and (entry.n, "old") not in sent_again]
    assert recovery.list_missing() == lacking
    if recovery.is_covered:
        assert held == {entry for entry in old if entry.seq <= max(e.seq for e in held)}


def test_an_entry_without_its_predecessor_continues_no_log() -> None:
    log = [make_message(seq, seq, "new") for seq in (1, 2)]
    recovery = Recovery(2, 2, {entry.seq: entry for entry in log})
    recovery.offer([make_message(3, 3, "old")])
    assert recovery.next_run(10) == []
    recovery.offer([make_message(2, 2, "old"), make_message(3, 3, "old")])
    assert recovery.is_forked


def test_two_writers_after_the_same_end_are_seen_to_have_forked() -> None:
    log = {1: make_message(1, 1, "shared")}
    recovery = Recovery(1, 3, log)
    recovery.offer([log[1], make_message(2, 2, "old"), make_message(3, 3, "old")])
    assert [entry.seq for entry in recovery.next_run(10)] == [2, 3]
    recovery.advance(2, {2: make_message(2, 9, "another was first")})
    assert recovery.is_forked
    assert recovery.is_covered
    assert [entry.seq for entry in recovery.list_missing()] == [2, 3]
