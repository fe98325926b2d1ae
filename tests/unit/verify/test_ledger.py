"""The ledger finds each kind of fault, and only that one."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.verify.judge import ChatFindings, judge
from isshoni.verify.ledger import Ledger
from tests.unit.verify.recordings import SESSION, Event, Recording

Counts = tuple[int, int, int]


def _counts(findings: ChatFindings) -> Counts:
    return findings.lost, findings.doubled, findings.reordered


def test_a_perfect_recording_has_no_fault() -> None:
    findings = judge(Recording.perfect(users=3, messages=30).play())
    assert _counts(findings) == (0, 0, 0)
    assert (findings.sent, findings.acked, findings.delivered) == (30, 30, 90)
    assert findings.foreign == 0


@pytest.mark.spec("A4", "E1")
def test_a_message_that_one_user_never_got_is_lost() -> None:
    recording = Recording.perfect(users=3, messages=30)
    del recording.given[1][10]
    assert _counts(judge(recording.play())) == (1, 0, 0)


def test_a_message_that_no_user_got_is_lost_once() -> None:
    recording = Recording.perfect(users=3, messages=30)
    for events in recording.given:
        del events[10]
    assert _counts(judge(recording.play())) == (1, 0, 0)


def test_a_message_that_was_never_acknowledged_is_not_lost() -> None:
    recording = Recording.perfect(users=3, messages=30)
    recording.acked.discard(29)
    for events in recording.given:
        del events[29]
    findings = judge(recording.play())
    assert _counts(findings) == (0, 0, 0)
    assert findings.acked == 29


def test_an_ack_covers_all_messages_before_it() -> None:
    recording = Recording.perfect(users=2, messages=20)
    recording.acked = {18, 19}
    assert judge(recording.play()).acked == 20


@pytest.mark.spec("A4")
def test_a_message_given_twice_is_doubled() -> None:
    recording = Recording.perfect(users=3, messages=30)
    recording.given[2].insert(20, recording.log[4])
    assert _counts(judge(recording.play())) == (0, 1, 0)


def test_a_message_at_two_places_in_the_log_is_doubled() -> None:
    recording = Recording.perfect(users=3, messages=30)
    again = replace(recording.log[4], seq=31)
    for events in recording.given:
        events.append(again)
    assert _counts(judge(recording.play())) == (0, 1, 0)


@pytest.mark.spec("A4")
def test_a_message_that_comes_late_is_reordered() -> None:
    recording = Recording.perfect(users=3, messages=30)
    events = recording.given[0]
    events[10], events[11] = events[11], events[10]
    assert _counts(judge(recording.play())) == (0, 0, 1)


def test_users_who_disagree_on_the_order_show_reordering() -> None:
    recording = Recording.perfect(users=3, messages=30)
    first, second = recording.given[1][10:12]
    recording.given[1][10:12] = [replace(second, seq=first.seq), replace(first, seq=second.seq)]
    lost, doubled, reordered = _counts(judge(recording.play()))
    assert (lost, doubled) == (0, 0)
    assert reordered == 2


def test_a_log_that_breaks_a_senders_order_shows_reordering() -> None:
    recording = Recording.perfect(users=3, messages=30)
    for events in recording.given:
        first, later = events[10], events[13]
        assert first.sender == later.sender
        events[10], events[13] = replace(later, seq=first.seq), replace(first, seq=later.seq)
    recording.log[10].seq, recording.log[13].seq = 14, 11
    assert _counts(judge(recording.play())) == (0, 0, 1)


def test_an_ack_that_names_another_place_shows_reordering() -> None:
    ledger = Ledger()
    user = ledger.add_user("c-0", SESSION)
    ledger.record_joined(user, 0)
    ledger.record_sent(user, 1, "hello", at=0.0)
    ledger.record_ack(user, 1, 7)
    ledger.record_delivery(user, 8, "c-0", 1, "hello", at=0.1)
    assert _counts(judge(ledger)) == (0, 0, 1)


@pytest.mark.parametrize(
    "forged",
    [
        Event(31, 0, 11, "a text that no user typed"),
        Event(31, 1, 1, "message 1"),
        Event(31, 0, 2, "message 1"),
    ],
    ids=["text", "sender", "number"],
)
def test_a_delivery_that_no_user_sent_is_foreign(forged: Event) -> None:
    recording = Recording.perfect(users=3, messages=30)
    recording.given[0].append(forged)
    findings = judge(recording.play())
    assert findings.foreign == 1
    assert _counts(findings) == (0, 0, 0)


def test_what_was_said_before_a_user_joined_is_not_owed_to_them() -> None:
    recording = Recording.perfect(users=2, messages=20)
    ledger = recording.play()
    late = ledger.add_user("c-late", SESSION)
    ledger.record_joined(late, 15)
    for event in recording.log[15:]:
        sender = f"c-{event.sender}"
        ledger.record_delivery(late, event.seq, sender, event.n, event.text, at=99.0)
    assert judge(ledger).lost == 0


@pytest.mark.spec("A4")
def test_a_message_missing_from_the_final_log_is_lost() -> None:
    recording = Recording.perfect(users=2, messages=20)
    ledger = recording.play()
    entries = [(event.seq, event.text) for event in recording.log if event.seq != 12]
    ledger.record_final_log(SESSION, entries)
    assert _counts(judge(ledger)) == (1, 0, 0)


def test_a_bounded_final_history_says_nothing_of_what_is_older() -> None:
    recording = Recording.perfect(users=2, messages=20)
    ledger = recording.play()
    entries = [(event.seq, event.text) for event in recording.log[15:]]
    ledger.record_final_log(SESSION, entries)
    assert judge(ledger).lost == 0


def test_an_empty_final_log_has_lost_everything() -> None:
    ledger = Recording.perfect(users=2, messages=20).play()
    ledger.record_final_log(SESSION, [])
    assert judge(ledger).lost == 20


def test_two_messages_may_not_have_the_same_text() -> None:
    ledger = Ledger()
    user = ledger.add_user("c-0", SESSION)
    ledger.record_sent(user, 1, "hello", at=0.0)
    with pytest.raises(ValueError, match="another message's"):
        ledger.record_sent(user, 2, "hello", at=1.0)


def _one_life(ledger: Ledger, texts: Sequence[str]) -> int:
    page = ledger.add_user("c-again", SESSION)
    ledger.record_joined(page, 0)
    for n, text in enumerate(texts, 1):
        ledger.record_sent(page, n, text, at=0.0)
    return page


def test_what_a_life_that_ended_had_not_seen_acknowledged_may_be_missing() -> None:
    ledger = Ledger()
    page = _one_life(ledger, ["acknowledged", "forgiven"])
    ledger.record_ack(page, 1, 1)
    ledger.record_delivery(page, 1, "c-again", 1, "acknowledged", at=0.1)
    assert not ledger.everything_acked()
    assert not ledger.everything_delivered()
    ledger.forgive_unacked(page)
    assert ledger.everything_acked()
    assert ledger.everything_delivered()
    assert _counts(judge(ledger)) == (0, 0, 0)


@pytest.mark.parametrize("is_in_log", [False, True])
def test_what_a_client_gave_back_is_not_acknowledged_by_later_numbers(is_in_log: bool) -> None:
    ledger = Ledger()
    page = _one_life(ledger, ["given back", "acknowledged", "acknowledged too"])
    ledger.record_given_back(page, 1)
    ledger.record_ack(page, 3, 3 if is_in_log else 2)
    texts = ["given back", "acknowledged", "acknowledged too"]
    for seq, text in enumerate(texts if is_in_log else texts[1:], 1):
        ledger.record_delivery(page, seq, "c-again", texts.index(text) + 1, text, at=0.1)
    assert ledger.everything_acked()
    assert ledger.everything_delivered()
    findings = judge(ledger)
    assert _counts(findings) == (0, 0, 0)
    assert (findings.sent, findings.acked) == (2, 2)


def test_a_life_that_ends_after_it_gave_a_message_back_is_forgiven_the_rest() -> None:
    ledger = Ledger()
    page = _one_life(ledger, ["given back", "unanswered"])
    ledger.record_given_back(page, 1)
    assert not ledger.everything_acked()
    ledger.forgive_unacked(page)
    assert ledger.everything_acked()
    assert ledger.everything_delivered()


def test_what_a_life_that_ended_had_seen_acknowledged_may_not_be_missing() -> None:
    ledger = Ledger()
    page = _one_life(ledger, ["acknowledged"])
    ledger.record_ack(page, 1, 1)
    ledger.forgive_unacked(page)
    ledger.record_stopped_reading(page)
    ledger.record_final_log(SESSION, [])
    assert _counts(judge(ledger)) == (1, 0, 0)


def test_nothing_more_is_owed_to_a_life_that_ended() -> None:
    recording = Recording.perfect(users=2, messages=20)
    ledger = recording.play()
    gone = ledger.add_user("c-gone", SESSION)
    ledger.record_joined(gone, 5)
    for event in (recording.log[5], recording.log[7]):
        sender = f"c-{event.sender}"
        ledger.record_delivery(gone, event.seq, sender, event.n, event.text, at=0.0)
    ledger.record_stopped_reading(gone)
    assert ledger.everything_delivered()
    assert judge(ledger).lost == 1, "what came before its last one was owed"


def test_a_message_is_known_by_the_number_that_it_got_in_the_end() -> None:
    ledger = Ledger()
    page = _one_life(ledger, ["old", "one", "two"])
    ledger.record_ack(page, 1, None)
    ledger.record_numbered(page, {2: 3, 3: 4})
    ledger.record_ack(page, 4, None)
    assert ledger.everything_acked()
    for seq, (n, text) in enumerate([(1, "old"), (3, "one"), (4, "two")], 1):
        ledger.record_delivery(page, seq, "c-again", n, text, at=0.1)
    assert judge(ledger).foreign == 0


def test_the_history_that_a_newcomer_is_shown_is_no_delivery_and_has_no_delay() -> None:
    recording = Recording.perfect(users=2, messages=20)
    ledger = recording.play()
    late = ledger.add_user("c-late", SESSION)
    ledger.record_joined(late, 19)
    for event in recording.log:
        sender = f"c-{event.sender}"
        ledger.record_delivery(late, event.seq, sender, event.n, event.text, at=99.0)
    findings = judge(ledger)
    assert (findings.delivered, findings.lost) == (41, 0)


@given(data=st.data())
def test_injected_faults_are_found_and_nothing_else(data: st.DataObject) -> None:
    """Inject faults of each kind at places apart: exactly those must be reported."""
    users = data.draw(st.integers(2, 5))
    messages = data.draw(st.integers(40, 80))
    recording = Recording.perfect(users, messages)
    places = data.draw(st.lists(st.integers(0, messages // 4 - 1), max_size=8, unique=True))
    injected = {"lose": 0, "double": 0, "swap": 0}
    for place in sorted(places, reverse=True):
        kind = data.draw(st.sampled_from(sorted(injected)))
        _inject(kind, recording.given[data.draw(st.integers(0, users - 1))], place * 4)
        injected[kind] += 1
    expected = (injected["lose"], injected["double"], injected["swap"])
    assert _counts(judge(recording.play())) == expected


def _inject(kind: str, events: list[Event], seq: int) -> None:
    place = next(i for i, event in enumerate(events) if event.seq == seq + 1)
    if kind == "lose":
        del events[place]
    elif kind == "double":
        events.insert(place + 1, events[place])
    else:
        events[place], events[place + 1] = events[place + 1], events[place]
