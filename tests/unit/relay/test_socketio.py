"""What the relay reads of Socket.IO's packets."""

import pytest

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.socketio import SocketIo
from isshoni.relay.core.profiles.socketio_packets import Packet, parse_packet


def text(payload: bytes) -> Message:
    return Message(TEXT, make_frame(TEXT, payload), payload)


def binary(payload: bytes) -> Message:
    return Message(BINARY, make_frame(BINARY, payload), payload)


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        (b'40{"token":1}', Packet(ord("0"), 0, b"/", None, b'{"token":1}')),
        (b"40/admin,", Packet(ord("0"), 0, b"/admin", None, b"")),
        (b'42["a",1]', Packet(ord("2"), 0, b"/", None, b'["a",1]')),
        (b'42/admin,17["a"]', Packet(ord("2"), 0, b"/admin", b"17", b'["a"]')),
        (b'452-/a,3["x"]', Packet(ord("5"), 2, b"/a", b"3", b'["x"]')),
        (b"2probe", None),
        (b"3", None),
        (b"", None),
    ],
)
def test_packets_are_parsed(payload: bytes, packet: Packet | None) -> None:
    assert parse_packet(payload) == packet


def test_an_event_and_its_attachments_are_passed_on_together() -> None:
    profile = SocketIo()
    event, first, second = text(b'452-["x"]'), binary(b"1"), binary(b"2")
    assert list(profile.from_program(0, event, 0.0)) == []
    assert list(profile.from_program(0, first, 0.0)) == []
    (unit,) = profile.from_program(0, second, 0.0)
    assert unit.data == event.data + first.data + second.data
    assert profile.key(unit) == (b"/", b'["x"]\x001\x002')


def test_a_client_is_busy_while_an_acknowledgement_is_awaited_but_not_for_ever() -> None:
    profile = SocketIo()
    busy = []
    profile.from_client(text(b'427["save"]'), 10.0)
    busy.append(profile.is_busy)
    list(profile.from_program(0, text(b"437[]"), 10.1))
    busy.append(profile.is_busy)
    profile.from_client(text(b'428["save"]'), 11.0)
    profile.overdue(14.1)
    busy.append(profile.is_busy)
    assert busy == [True, False, False]


def test_the_new_program_is_joined_once_every_namespace_is_connected() -> None:
    profile = SocketIo()
    for payload in (b'40{"room":"r"}', b"40/admin,"):
        profile.from_client(text(payload), 0.0)
    for payload in (b'0{"sid":"a"}', b'40{"sid":"b"}', b'40/admin,{"sid":"c"}'):
        assert list(profile.from_program(0, text(payload), 0.0))
    sent = [message.payload for message in profile.preamble(1)]
    assert sent == [b'40{"room":"r"}', b"40/admin,"]
    for payload in (b'0{"sid":"d"}', b'40{"sid":"e"}'):
        assert list(profile.from_program(1, text(payload), 1.0)) == []
    assert not profile.has_joined
    assert list(profile.from_program(1, text(b'40/admin,{"sid":"f"}'), 1.0)) == []
    assert profile.has_joined


def test_an_acknowledgement_for_the_program_that_has_ended_is_dropped() -> None:
    profile = SocketIo()
    list(profile.from_program(0, text(b'421["question"]'), 0.0))
    profile.preamble(1)
    profile.moved()
    assert list(profile.from_client(text(b"431[]"), 1.0)) == []


def connected(*payloads: bytes) -> SocketIo:
    """Return the profile of a client whose program has accepted its namespaces."""
    profile = SocketIo()
    for payload in payloads or (b"40",):
        list(profile.from_client(text(payload), 0.0))
        packet = parse_packet(payload)
        assert packet is not None
        answer = Packet(packet.kind, 0, packet.namespace, None, b'{"sid":"a"}').encode(None)
        assert list(profile.from_program(0, text(answer), 0.0))
    return profile


def begin_move(profile: SocketIo, number: int = 1) -> None:
    """Let a new program accept what is replayed."""
    for message in profile.preamble(number):
        list(profile.from_program(number, message, 5.0))


def payloads(messages: object) -> list[bytes]:
    return [message.payload for message in messages]  # type: ignore[attr-defined]


def test_each_program_counts_its_own_requests_and_gets_its_own_id_back() -> None:
    profile = connected()
    (first,) = profile.from_program(0, text(b'420["question"]'), 1.0)
    assert payloads(profile.from_client(text(b"430[]"), 1.0)) == [b"430[]"]
    begin_move(profile)
    profile.moved()
    (second,) = profile.from_program(1, text(b'420["question"]'), 6.0)
    assert (first.payload, second.payload) == (b'420["question"]', b'421["question"]')
    assert payloads(profile.from_client(text(b'431["yes"]'), 6.1)) == [b'430["yes"]']


def test_an_answer_with_attachments_for_a_program_that_has_ended_is_dropped_whole() -> None:
    profile = connected()
    list(profile.from_program(0, text(b'420["question"]'), 1.0))
    begin_move(profile)
    profile.moved()
    assert list(profile.from_client(text(b'461-0[{"_placeholder":true,"num":0}]'), 6.0)) == []
    assert list(profile.from_client(binary(b"x"), 6.0)) == []
    assert payloads(profile.from_client(text(b'42["next"]'), 6.0)) == [b'42["next"]']
    assert profile.can_move


def test_only_answers_and_pongs_go_past_held_messages() -> None:
    profile = connected()
    list(profile.from_program(0, text(b'420["question"]'), 1.0))
    assert not profile.goes_past_hold(text(b'42["next"]'))
    assert not profile.goes_past_hold(text(b'451-["next"]'))
    assert not profile.goes_past_hold(binary(b"x"))
    assert profile.goes_past_hold(text(b"3"))
    answer = text(b'461-0[{"_placeholder":true,"num":0}]')
    assert profile.goes_past_hold(answer)
    list(profile.from_client(answer, 1.0))
    assert profile.goes_past_hold(binary(b"x"))


def test_a_kind_of_event_that_is_never_acknowledged_is_waited_for_once() -> None:
    profile = connected()
    profile.from_client(text(b'421["mute"]'), 1.0)
    profile.overdue(4.5)
    profile.from_client(text(b'422["mute"]'), 4.5)
    busy = [profile.is_busy]
    profile.from_client(text(b'423["save"]'), 4.5)
    busy.append(profile.is_busy)
    assert busy == [False, True]


def test_pings_of_a_new_program_are_answered_and_those_of_an_ended_one_dropped() -> None:
    profile = connected()
    begin_move(profile)
    assert list(profile.from_program(1, text(b"2"), 5.0)) == []
    ((number, pong),) = profile.for_programs()
    assert (number, pong.payload) == (1, b"3")
    assert list(profile.for_programs()) == []
    assert payloads(profile.moved()) == [b"2"]
    assert list(profile.from_program(0, text(b"2"), 5.0)) == []
    assert list(profile.from_client(text(b"3"), 5.0)) == []
    assert payloads(profile.from_program(1, text(b"2"), 6.0)) == [b"2"]
    assert payloads(profile.from_client(text(b"3"), 6.0)) == [b"3"]


def test_a_namespace_that_is_connected_during_a_move_is_connected_on_both_programs() -> None:
    profile = connected()
    begin_move(profile)
    list(profile.from_client(text(b"40/late,"), 5.0))
    assert [(n, m.payload) for n, m in profile.for_programs()] == [(1, b"40/late,")]
    before = (profile.has_joined, profile.is_busy)
    assert payloads(profile.from_program(0, text(b'40/late,{"sid":"b"}'), 5.0))
    assert list(profile.from_program(1, text(b'40/late,{"sid":"c"}'), 5.0)) == []
    assert [before, (profile.has_joined, profile.is_busy)] == [(False, True), (True, False)]


def test_a_refused_namespace_refuses_the_move() -> None:
    profile = connected()
    profile.preamble(1)
    assert list(profile.from_program(1, text(b'44{"message":"expired"}'), 5.0)) == []
    assert profile.was_refused


def test_a_namespace_that_the_program_has_ended_is_not_replayed() -> None:
    profile = connected(b"40", b"40/a,", b"40/b,")
    assert payloads(profile.from_program(0, text(b"41/a,"), 1.0))
    list(profile.from_client(text(b"41/b,"), 1.0))
    assert payloads(profile.preamble(1)) == [b"40"]
    list(profile.from_program(1, text(b'40{"sid":"z"}'), 2.0))
    profile.moved()
    assert list(profile.from_program(0, text(b"41"), 2.0)) == []


def test_a_client_that_came_back_once_does_not_ask_a_new_program_for_old_messages() -> None:
    profile = connected(b'40{"room":"r","pid":"p","offset":"1-1"}')
    assert payloads(profile.preamble(1)) == [b'40{"room": "r"}']


@pytest.mark.parametrize("first", [binary(b"\x83"), text(b'4{"type":0}'), text(b"4hello")])
def test_a_client_with_another_parser_cannot_move(first: Message) -> None:
    profile = SocketIo()
    list(profile.from_client(first, 0.0))
    assert not profile.can_move


@pytest.mark.parametrize(
    ("target", "can_move"),
    [
        ("/socket.io/?EIO=4&transport=websocket", True),
        ("/any/path?transport=websocket&EIO=4&token=a", True),
        ("/socket.io/?EIO=4&transport=websocket&sid=abc", False),
        ("/socket.io/?EIO=3&transport=websocket", False),
        ("/socket.io/", False),
    ],
)
def test_only_a_websocket_of_engine_io_4_from_its_begin_can_move(
    target: str, can_move: bool
) -> None:
    assert SocketIo.for_request(target).can_move == can_move


def test_a_greeting_of_a_new_program_is_dropped_once_and_no_other_event() -> None:
    profile = connected()
    assert list(profile.from_program(0, text(b'42["hello","blue"]'), 0.05))
    assert list(profile.from_program(0, text(b'42["tick",1]'), 0.06))
    assert list(profile.from_program(0, text(b'42["tick",2]'), 3.0))
    begin_move(profile)
    assert list(profile.from_program(1, text(b'42["hello","green"]'), 5.1)) == []
    assert list(profile.from_program(1, text(b'42["tick",3]'), 5.1))
    profile.moved()
    assert list(profile.from_program(1, text(b'42["hello","again"]'), 9.0))
