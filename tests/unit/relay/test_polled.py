"""What a polling Socket.IO client has sent is known when it moves by its WebSocket."""

import pytest

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.handshake import (
    MAX_BODY_BYTES,
    TooLarge,
    cut_request,
    read_handshake,
)
from isshoni.relay.core.messages import Message
from isshoni.relay.core.polled import KEEP_SECONDS, MOST_SESSIONS, Polled
from isshoni.relay.core.profiles.socketio import SocketIo

TARGET = "/socket.io/?EIO=4&transport=polling&sid=s1"
UPGRADE = "/socket.io/?EIO=4&transport=websocket&sid=s1"


def post(body: bytes, target: str = TARGET) -> bytearray:
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return bytearray(head.encode() + body)


def message(payload: bytes) -> Message:
    return Message(TEXT, make_frame(TEXT, payload), payload)


def test_a_request_is_cut_once_its_body_is_whole() -> None:
    data = post(b"40")
    assert cut_request(data[:-1]) is None
    assert cut_request(data + b"next") == (bytes(data[:-2]), b"40", b"next")


def test_only_the_body_of_a_polling_client_is_read() -> None:
    data = post(b"40", "/other")
    assert cut_request(data) == (bytes(data[:-2]), None, b"40")
    with pytest.raises(ValueError, match="a request with a body cannot pass"):
        read_handshake(bytes(data[:-2]))


def test_a_body_that_is_too_large_is_refused() -> None:
    head = post(b"x" * (MAX_BODY_BYTES + 1))[:200]
    with pytest.raises(TooLarge) as fault:
        cut_request(head)
    assert fault.value.status == 413


def test_a_replayed_handshake_names_no_session_of_the_old_program() -> None:
    head = b"GET /socket.io/?EIO=4&sid=s1&t=1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    replayed = read_handshake(head).replay("blue")
    assert replayed.head.startswith(b"GET /socket.io/?EIO=4&t=1 HTTP/1.1\r\n")
    other = head.replace(b"EIO=4&", b"")
    assert b"sid=s1" in read_handshake(other).replay("blue").head


def test_the_namespaces_that_were_joined_by_polling_are_replayed_after_the_upgrade() -> None:
    polled = Polled()
    polled.add("s1", b'40{"a":1}\x1e40/news,\x1e40/left,', 0.0)
    polled.add("s1", b"41/left,\x1e2", 1.0)
    profile = SocketIo.for_request(UPGRADE, polled)
    found = [profile.can_move]
    assert list(profile.from_client(message(b"5"), 2.0))
    assert [*found, profile.can_move] == [False, True]
    assert [m.payload for m in profile.preamble(1)] == [b'40{"a":1}', b"40/news,"]


def test_the_answer_to_a_connect_by_polling_reaches_the_client_if_it_comes_later() -> None:
    polled = Polled()
    polled.add("s1", b"40/news,", 0.0)
    profile = SocketIo.for_request(UPGRADE, polled)
    profile.from_client(message(b"5"), 2.0)
    answer = message(b'40/news,{"sid":"x"}')
    assert list(profile.from_program(0, answer, 2.1)) == [answer]


def test_a_client_whose_polling_was_not_seen_stays() -> None:
    profile = SocketIo.for_request(UPGRADE, Polled())
    profile.from_client(message(b"5"), 2.0)
    assert not profile.can_move


def test_sessions_that_send_no_more_and_the_oldest_ones_are_forgotten() -> None:
    polled = Polled()
    polled.add("old", b"40", 0.0)
    polled.add("new", b"40", KEEP_SECONDS + 1)
    assert polled.take("old") == {}
    for number in range(MOST_SESSIONS):
        polled.add(str(number), b"40", KEEP_SECONDS + 2)
    assert polled.take("new") == {}
    assert polled.take("0") == {b"/": b"40"}
