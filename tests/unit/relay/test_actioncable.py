"""What the relay reads of Action Cable, replays and drops."""

import json

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.actioncable import ActionCable

CHAT = '{"channel":"ChatChannel","room":"a"}'
NEWS = '{"channel":"NewsChannel"}'


def text(**fields: object) -> Message:
    payload = json.dumps(fields).encode()
    return Message(TEXT, make_frame(TEXT, payload), payload)


WELCOME = text(type="welcome")


def confirm(identifier: str) -> Message:
    return text(identifier=identifier, type="confirm_subscription")


def subscribe(identifier: str) -> Message:
    return text(command="subscribe", identifier=identifier)


def subscribed(*identifiers: str) -> ActionCable:
    """Return the profile of a client whose program has confirmed its subscriptions."""
    profile = ActionCable()
    assert list(profile.from_program(0, WELCOME, 0.0))
    for identifier in identifiers:
        list(profile.from_client(subscribe(identifier), 0.0))
        assert list(profile.from_program(0, confirm(identifier), 0.0))
    return profile


def test_subscriptions_are_replayed_and_the_answers_dropped() -> None:
    profile = subscribed(CHAT, NEWS)
    assert list(profile.preamble(1)) == [subscribe(CHAT), subscribe(NEWS)]
    joined = []
    for answer in (WELCOME, confirm(CHAT), confirm(NEWS)):
        joined.append(profile.has_joined)
        assert list(profile.from_program(1, answer, 1.0)) == []
    assert [*joined, profile.has_joined] == [False, False, False, True]


def test_what_a_channel_sends_before_it_confirms_is_dropped() -> None:
    profile = subscribed(CHAT)
    profile.preamble(1)
    message = text(identifier=CHAT, message={"hello": "green"})
    assert list(profile.from_program(1, message, 1.0)) == []
    list(profile.from_program(1, confirm(CHAT), 1.0))
    assert list(profile.from_program(1, message, 1.0)) == [message]
    assert profile.key(message) == message.payload
    assert profile.key(WELCOME) is None


def test_a_client_that_unsubscribed_or_was_rejected_is_not_subscribed_again() -> None:
    profile = subscribed(CHAT, NEWS)
    list(profile.from_client(text(command="unsubscribe", identifier=CHAT), 1.0))
    list(profile.from_client(subscribe("closed"), 1.0))
    rejection = text(identifier="closed", type="reject_subscription")
    assert list(profile.from_program(0, rejection, 1.0)) == [rejection]
    assert list(profile.preamble(1)) == [subscribe(NEWS)]


def test_a_rejection_or_a_disconnect_by_the_new_program_refuses_the_move() -> None:
    for refusal in (
        text(identifier=CHAT, type="reject_subscription"),
        text(type="disconnect", reason="unauthorized", reconnect=False),
    ):
        profile = subscribed(CHAT)
        profile.preamble(1)
        assert list(profile.from_program(1, refusal, 1.0)) == []
        assert profile.was_refused


def test_a_client_is_busy_until_its_subscription_is_confirmed() -> None:
    profile = ActionCable()
    profile.from_client(subscribe(CHAT), 1.0)
    busy = [profile.is_busy]
    list(profile.from_program(0, confirm(CHAT), 1.5))
    busy.append(profile.is_busy)
    assert busy == [True, False]


def test_a_subscription_during_a_move_is_sent_to_both_programs() -> None:
    profile = subscribed(CHAT)
    profile.preamble(1)
    late = subscribe(NEWS)
    assert list(profile.from_client(late, 1.0)) == [late]
    assert list(profile.for_programs()) == [(1, late)]
    assert list(profile.for_programs()) == []


def test_the_end_of_the_old_program_is_dropped_and_the_client_gets_a_ping() -> None:
    profile = subscribed(CHAT)
    ping = text(type="ping", message=1700000000)
    assert list(profile.from_program(0, ping, 1.0)) == [ping]
    profile.preamble(1)
    assert list(profile.moved()) == [ping]
    end = text(type="disconnect", reason="server_restart", reconnect=True)
    assert list(profile.from_program(0, end, 1.0)) == []
    assert list(profile.from_program(1, end, 2.0)) == [end]


def test_what_cannot_be_read_passes() -> None:
    profile = ActionCable()
    broken = Message(TEXT, make_frame(TEXT, b"{"), b"{")
    assert list(profile.from_client(broken, 0.0)) == [broken]
    assert list(profile.from_program(0, broken, 0.0)) == [broken]
