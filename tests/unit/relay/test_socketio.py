"""What the relay reads of Socket.IO's packets."""

import pytest

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.socketio import Packet, SocketIo, parse_packet


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
    assert profile.key(unit) == unit.payload


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
