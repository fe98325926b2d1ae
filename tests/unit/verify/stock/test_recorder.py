"""The books of stock clients: what is lost, doubled, reordered, and what is none of these."""

from isshoni.verify.judge import ChatFindings, judge
from isshoni.verify.stock.ids import make_id, make_trial_id
from isshoni.verify.stock.recorder import Recorder
from isshoni.verify.stock.trial import Reach, Trial

RUN = "a1b2c3"


def begin(reach: Reach = Reach.ROOM, replies: frozenset[str] = frozenset()) -> Recorder:
    """Open three clients, two of them in one room."""
    recorder = Recorder(RUN, {0: "r", 1: "r", 2: "elsewhere"})
    for client in recorder.users:
        recorder.record_opened(client, 0.0)
    recorder.begin(Trial(reach, "", replies))
    return recorder


def send(recorder: Recorder, client: int, *numbers: int) -> None:
    for n in numbers:
        recorder.record_sent(client, 1.0 + n, n)
        recorder.record_taken(client, n)


def deliver(recorder: Recorder, receiver: int, sender: int, *numbers: int) -> None:
    for n in numbers:
        recorder.record_frame(receiver, 1.5 + n, make_id(RUN, sender, n))


def faults(recorder: Recorder) -> tuple[int, int, int, int]:
    found: ChatFindings = judge(recorder.ledger)
    return found.lost, found.doubled, found.reordered, found.foreign + recorder.count_unsent()


def test_what_reaches_all_of_a_room_once_and_in_order_is_no_fault() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2, 3)
    for receiver in (0, 1):
        deliver(recorder, receiver, 0, 1, 2, 3)
    assert faults(recorder) == (0, 0, 0, 0)
    assert recorder.everything_delivered()
    assert len(recorder.ledger.latency) == 6


def test_a_message_that_one_client_lacks_is_lost() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2, 3)
    deliver(recorder, 0, 0, 1, 2, 3)
    deliver(recorder, 1, 0, 1, 3)
    assert faults(recorder) == (1, 0, 0, 0)


def test_the_last_message_too_is_lost_if_no_client_gets_it() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2)
    for receiver in (0, 1):
        deliver(recorder, receiver, 0, 1)
    assert not recorder.everything_delivered()
    assert faults(recorder) == (1, 0, 0, 0)


def test_a_message_that_comes_twice_is_doubled() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2)
    deliver(recorder, 0, 0, 1, 2)
    deliver(recorder, 1, 0, 1, 1, 2)
    assert faults(recorder) == (0, 1, 0, 0)


def test_two_messages_of_one_sender_that_change_places_are_reordered() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2, 3)
    deliver(recorder, 0, 0, 1, 2, 3)
    deliver(recorder, 1, 0, 2, 1, 3)
    assert faults(recorder) == (0, 0, 1, 0)


def test_messages_of_two_senders_may_come_in_any_order() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2)
    send(recorder, 1, 1, 2)
    deliver(recorder, 0, 1, 1, 2)
    deliver(recorder, 0, 0, 1, 2)
    deliver(recorder, 1, 0, 1, 2)
    deliver(recorder, 1, 1, 1, 2)
    assert faults(recorder) == (0, 0, 0, 0)


def test_a_delivery_that_is_reported_before_its_sending_counts() -> None:
    recorder = begin()
    for receiver in (0, 1):
        deliver(recorder, receiver, 0, 1, 2)
    assert recorder.count_unsent() == 4
    send(recorder, 0, 1, 2)
    assert faults(recorder) == (0, 0, 0, 0)


def test_a_message_that_no_client_sent_or_of_another_room_is_foreign() -> None:
    recorder = begin()
    send(recorder, 0, 1)
    for receiver in (0, 1, 2):
        deliver(recorder, receiver, 0, 1)
    deliver(recorder, 0, 1, 7)
    assert faults(recorder) == (0, 0, 0, 2)


def test_a_message_that_the_library_refused_may_arrive_or_not() -> None:
    recorder = begin()
    recorder.record_sent(0, 1.0, 1)
    recorder.record_refused(0)
    send(recorder, 0, 2)
    for receiver in (0, 1):
        deliver(recorder, receiver, 0, 2)
    assert faults(recorder) == (0, 0, 0, 0)
    assert recorder.everything_delivered()
    assert judge(recorder.ledger).sent == 1


def test_where_the_sender_gets_nothing_only_the_others_are_owed_a_message() -> None:
    recorder = begin(Reach.OTHERS)
    send(recorder, 0, 1)
    deliver(recorder, 1, 0, 1)
    assert recorder.everything_delivered()
    deliver(recorder, 0, 0, 1)
    assert faults(recorder) == (0, 0, 0, 1)


def test_where_only_the_sender_gets_a_message_no_other_is_owed_it() -> None:
    recorder = begin(Reach.SENDER)
    send(recorder, 0, 1, 2)
    deliver(recorder, 0, 0, 1)
    assert faults(recorder) == (1, 0, 0, 0)
    deliver(recorder, 1, 0, 1)
    assert faults(recorder) == (1, 0, 0, 1)


def test_replies_and_trial_messages_are_not_deliveries() -> None:
    recorder = begin(replies=frozenset({"You wrote: …"}))
    send(recorder, 0, 1)
    for receiver in (0, 1):
        deliver(recorder, receiver, 0, 1)
        recorder.record_frame(receiver, 2.0, f"You wrote: {make_id(RUN, 0, 1)}")
        recorder.record_frame(receiver, 2.0, make_trial_id(RUN, 0, 1))
    assert faults(recorder) == (0, 0, 0, 0)


def test_a_list_of_earlier_messages_fills_holes_and_doubles_nothing() -> None:
    recorder = begin()
    send(recorder, 0, 1, 2, 3, 4)
    deliver(recorder, 0, 0, 1, 2, 3, 4)
    deliver(recorder, 1, 0, 1)
    deliver(recorder, 1, 0, 4)  # the first live one after a reconnect
    history = " ".join(make_id(RUN, 0, n) for n in (1, 2, 3, 4))
    recorder.record_frame(1, 9.0, history)
    recorder.record_frame(1, 9.1, history)
    assert faults(recorder) == (0, 0, 0, 0)


def test_closes_and_reconnects_are_counted_until_the_end_of_the_run() -> None:
    recorder = begin()
    recorder.record_closed(0, 2.0, 1012, "restart")
    recorder.record_closed(1, 2.0, None, "transport close")
    recorder.record_closed(2, 2.0, 1006, "")
    recorder.record_opened(0, 2.5)
    recorder.end()
    recorder.record_closed(0, 3.0, 1000, "")
    closes = {"1012": 1, "transport close": 1, "no close frame": 1}
    assert recorder.tally.closes == closes
    assert recorder.tally.reconnects == 1
    assert recorder.connected() == 1
    assert [cut.seconds for cut in recorder.users[0].timeline.cuts] == [0.5]


def test_rooms_whose_documents_differ_are_named() -> None:
    recorder = begin()
    for reader in ("stock-0", "a newcomer"):
        recorder.record_document(reader, "same", "d1")
        recorder.record_document(reader, "r", f"of {reader}")
    assert recorder.differing_rooms() == ("r",)
