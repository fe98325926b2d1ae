import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.errors import ProtocolError
from isshoni.session.from_server import ChatEvent, OtherProtocol, parse_from_server, parse_history
from isshoni.session.messages import (
    Ack,
    Position,
    ServerIdentity,
    SessionRestored,
    encode,
    event_frame,
)


def test_what_the_server_encodes_is_what_the_client_parses() -> None:
    assert parse_from_server(encode(Ack(n=3, seq=None))) == Ack(n=3, seq=None)


def test_an_event_keeps_its_meaning_with_fields_of_a_newer_version() -> None:
    frame = event_frame(7, b'{"client_id":"c","n":1,"text":"hi","at":5,"v":2,"mood":"good"}')
    event = ChatEvent(seq=7, client_id="c", n=1, text="hi", at=5)
    assert parse_from_server(frame) == event


def test_a_type_of_a_newer_server_is_ignored() -> None:
    assert parse_from_server('{"type":"tomorrow"}') is None


@pytest.mark.parametrize("rest", ["", ',"position":7', ',"server":{}'])
def test_a_restore_of_a_later_protocol_is_known_as_one_whatever_is_in_it(rest: str) -> None:
    frame = f'{{"type":"session_restored","protocol":2{rest}}}'
    assert parse_from_server(frame) == OtherProtocol(2)


@pytest.mark.parametrize("protocol", ["1", "0", '"2"', "2.5", "true", "null"])
def test_no_other_protocol_is_a_later_one(protocol: str) -> None:
    with pytest.raises(ProtocolError):
        parse_from_server(f'{{"type":"session_restored","protocol":{protocol}}}')


def test_the_history_of_a_restore_is_parsed() -> None:
    frame = event_frame(1, b'{"client_id":"c","n":1,"text":"hi","at":5}')
    answer = parse_from_server(
        b'{"type":"session_restored","session_id":"s","client_id":"c","mode":"full",'
        b'"position":{"epoch":"e","seq":1},"last_n":0,"canvas_state":null,'
        b'"server":{"version":"v","colour":"blue","heartbeat_seconds":20},'
        b'"chat_history":[' + frame + b"]}"
    )
    assert isinstance(answer, SessionRestored)
    assert [event.seq for event in parse_history(answer)] == [1]
    assert answer.position == Position("e", 1)
    assert answer.server == ServerIdentity("v", "blue", 20)


@pytest.mark.parametrize("seq", ["0", "-1", "1.5", '"1"', "null"])
def test_an_event_without_a_place_is_refused(seq: str) -> None:
    with pytest.raises(ProtocolError):
        parse_from_server(f'{{"type":"chat","seq":{seq},"client_id":"c","n":1,"text":"","at":0}}')


@given(st.text() | st.binary())
def test_no_frame_raises_anything_but_a_protocol_error(frame: str | bytes) -> None:
    try:
        parse_from_server(frame)
    except ProtocolError as fault:
        assert fault.code in ("bad_json", "bad_message")
