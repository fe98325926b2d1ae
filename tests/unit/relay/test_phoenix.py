"""What the relay reads of Phoenix channels, replays and drops."""

import json

import pytest

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.phoenix import Phoenix
from isshoni.relay.core.profiles.phoenix_messages import (
    ChannelMessage,
    parse_client,
    parse_program,
)


def text(*message: object) -> Message:
    payload = json.dumps(message).encode()
    return Message(TEXT, make_frame(TEXT, payload), payload)


def binary(kind: int, *fields: bytes, data: bytes = b"") -> Message:
    payload = bytes([kind, *map(len, fields)]) + b"".join(fields) + data
    return Message(BINARY, make_frame(BINARY, payload), payload)


def join(topic: str, ref: str) -> Message:
    return text(ref, ref, topic, "phx_join", {"token": "a"})


def reply(topic: str, ref: str, status: str = "ok") -> Message:
    return text(ref, ref, topic, "phx_reply", {"response": {}, "status": status})


def joined(*topics: str) -> Phoenix:
    """Return the profile of a client that has joined topics, with the references 1, 2, ..."""
    profile = Phoenix()
    for number, topic in enumerate(topics, 1):
        list(profile.from_client(join(topic, str(number)), 0.0))
        assert list(profile.from_program(0, reply(topic, str(number)), 0.0))
    return profile


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (text("1", "2", "t", "e", {}), ChannelMessage("1", "2", "t", "e")),
        (text(None, "2", "t", "heartbeat", {}), ChannelMessage(None, "2", "t", "heartbeat")),
        (text({"topic": "t"}), None),
        (binary(0, b"1", b"2", b"t", b"e", data=b"x"), ChannelMessage("1", "2", "t", "e")),
        (binary(0, b"1", b"2"), None),
        (binary(7), None),
    ],
)
def test_messages_of_clients_are_parsed(message: Message, expected: ChannelMessage | None) -> None:
    assert parse_client(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (text(None, None, "t", "e", {}), ChannelMessage(None, None, "t", "e")),
        (reply("t", "1", "error"), ChannelMessage("1", "1", "t", "phx_reply", False)),
        (binary(0, b"1", b"t", b"e", data=b"x"), ChannelMessage("1", None, "t", "e")),
        (binary(1, b"1", b"2", b"t", b"ok"), ChannelMessage("1", "2", "t", "phx_reply", True)),
        (binary(2, b"t", b"e", data=b"x"), ChannelMessage(None, None, "t", "e")),
        (binary(2, b""), None),
    ],
)
def test_messages_of_programs_are_parsed(message: Message, expected: ChannelMessage | None) -> None:
    assert parse_program(message) == expected


def test_joins_are_replayed_with_their_references_and_the_replies_dropped() -> None:
    profile = joined("room:a", "room:b")
    assert list(profile.preamble(1)) == [join("room:a", "1"), join("room:b", "2")]
    assert list(profile.from_program(1, reply("room:a", "1"), 1.0)) == []
    before = profile.has_joined
    assert list(profile.from_program(1, reply("room:b", "2"), 1.0)) == []
    assert [before, profile.has_joined] == [False, True]


def test_a_refused_join_refuses_the_move() -> None:
    profile = joined("room:a")
    profile.preamble(1)
    assert list(profile.from_program(1, reply("room:a", "1", "error"), 1.0)) == []
    assert profile.was_refused


def test_a_channel_that_was_left_ended_or_refused_is_not_joined_again() -> None:
    profile = joined("room:a", "room:b", "room:c")
    list(profile.from_client(text("1", "9", "room:a", "phx_leave", {}), 1.0))
    end = text("2", "2", "room:b", "phx_close", {})
    assert list(profile.from_program(0, end, 1.0)) == [end]
    list(profile.from_client(join("room:d", "10"), 1.0))
    refusal = reply("room:d", "10", "error")
    assert list(profile.from_program(0, refusal, 1.0)) == [refusal]
    assert list(profile.preamble(1)) == [join("room:c", "3")]


def test_the_end_of_a_channel_of_the_old_program_is_dropped() -> None:
    profile = joined("room:a")
    profile.preamble(1)
    list(profile.from_program(1, reply("room:a", "1"), 1.0))
    profile.moved()
    assert list(profile.from_program(0, text("1", None, "room:a", "phx_error", {}), 1.0)) == []
    assert profile.preamble(2)


def test_a_client_is_busy_until_its_push_has_a_reply() -> None:
    profile = joined("room:a")
    list(profile.from_client(text("1", "5", "room:a", "say", {}), 1.0))
    busy = [profile.is_busy]
    answer = reply("room:a", "5")
    assert list(profile.from_program(0, answer, 1.1)) == [answer]
    busy.append(profile.is_busy)
    list(profile.from_client(binary(0, b"1", b"6", b"room:a", b"say"), 1.2))
    busy.append(profile.is_busy)
    list(profile.from_program(0, binary(1, b"1", b"6", b"room:a", b"ok"), 1.3))
    busy.append(profile.is_busy)
    assert busy == [True, False, True, False]


def test_a_join_during_a_move_is_sent_to_both_programs() -> None:
    profile = joined("room:a")
    profile.preamble(1)
    list(profile.from_program(1, reply("room:a", "1"), 1.0))
    late = join("room:b", "7")
    assert list(profile.from_client(late, 1.0)) == [late]
    assert list(profile.for_programs()) == [(1, late)]
    assert not profile.has_joined


def test_a_greeting_is_dropped_once_but_never_the_presence_of_a_channel() -> None:
    profile = joined("room:a")
    for event in ("hello", "presence_state"):
        assert list(profile.from_program(0, text("1", None, "room:a", event, {}), 0.05))
    profile.preamble(1)
    list(profile.from_program(1, reply("room:a", "1"), 5.0))
    assert list(profile.from_program(1, text("1", None, "room:a", "hello", {}), 5.1)) == []
    assert list(profile.from_program(1, text("1", None, "room:a", "presence_state", {}), 5.1))
    assert list(profile.from_program(1, text("1", None, "room:a", "hello", {}), 5.2))


@pytest.mark.parametrize(
    ("target", "can_move"),
    [
        ("/socket/websocket?vsn=2.0.0", True),
        ("/socket/websocket?vsn=1.0.0", False),
        ("/socket/websocket", False),
    ],
)
def test_only_serializer_2_can_move(target: str, can_move: bool) -> None:
    assert Phoenix.for_request(target).can_move == can_move
