"""The session of a request is found where the setting says, whatever a client sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.relay.core.handshake import MAX_HEAD_BYTES, Handshake, read_handshake
from isshoni.relay.core.session_key import (
    LONGEST_KEY,
    KeyRule,
    find_session_key,
    parse_key_rule,
)
from isshoni.session.server.share import is_in_share

ALONE = "alone:1"


def request(target: str, *headers: str) -> Handshake:
    """Return a handshake."""
    lines = [f"GET {target} HTTP/1.1", "Host: example.com", "Upgrade: websocket", *headers]
    return read_handshake("\r\n".join([*lines, "", ""]).encode("latin-1"))


def key(rule: str, target: str, *headers: str) -> str:
    """Return the key of a request."""
    return find_session_key(parse_key_rule(rule), request(target, *headers), ALONE)


@pytest.mark.parametrize(
    ("rule", "target", "found"),
    [
        ("path", "/ws/room1?token=x", "/ws/room1"),
        ("path", "/ws/room1#part", "/ws/room1"),
        ("path", "ws://example.com/ws/room1?token=x", "/ws/room1"),
        ("segment:1", "/ws/room1/peer", "ws"),
        ("segment:2", "//ws//room1", "room1"),
        ("segment:3", "/ws/room1", "/ws/room1"),
        ("query:room", "/ws?a=1&room=r1&room=r2", "r1"),
        ("query:room", "/ws?room=", "/ws"),
        ("query:room", "/ws?bedroom=r1", "/ws"),
        ("query:the room", "/ws?the+room=1", "1"),
        ("query:room", "/?x", ALONE),
    ],
)
def test_a_key_is_found_in_the_target(rule: str, target: str, found: str) -> None:
    assert key(rule, target) == found


@pytest.mark.parametrize(
    "target", ["/", "/?a=1", "/socket.io/?EIO=4&transport=websocket", "/any?EIO=4"]
)
def test_a_path_that_all_clients_use_makes_each_of_them_a_session(target: str) -> None:
    assert key("path", target) == ALONE


def test_percent_encoding_makes_no_other_session() -> None:
    assert key("path", "/ws/%61b") == key("path", "/ws/ab")
    assert key("segment:2", "/ws/%ed%95%9c") == key("segment:2", "/ws/%ED%95%9C")
    assert key("query:room", "/ws?room=%61+b") == key("query:room", "/ws?room=a%20b")
    assert key("path", "/ws/a%2Fb") != key("path", "/ws/a/b")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (["Cookie: a=1; room=r1; room=r2"], "r1"),
        (["cookie: a=1", 'COOKIE: room="r1"'], "r1"),
        (["Cookie: broom=x;room = r1"], "r1"),
        (["Cookie: room"], "/ws"),
        (["Cookie: =r1; ;;"], "/ws"),
        (["Cookie"], "/ws"),
        (["Cookie: Room=r1"], "/ws"),
    ],
)
def test_a_cookie_is_found_among_others(headers: list[str], found: str) -> None:
    assert key("cookie:room", "/ws", *headers) == found


def test_a_header_is_found_in_any_case_and_the_first_one_counts() -> None:
    assert key("header:X-Room", "/ws", "x-room:  r1 ", "X-ROOM: r2") == "r1"
    assert key("header:X-Room", "/ws", "X-Room:") == "/ws"


def test_a_long_key_is_replaced_by_its_hash_and_two_long_keys_stay_two() -> None:
    one, other = key("path", "/" + "a" * 5000), key("path", "/" + "a" * 4999 + "b")
    assert len(one) <= LONGEST_KEY
    assert one != other


@given(
    st.binary(max_size=200),
    st.sampled_from(["path", "segment:1", "query:a", "cookie:a", "header:a"]),
)
def test_no_request_breaks_the_search(junk: bytes, rule: str) -> None:
    clean = junk.replace(b"\r", b"").replace(b"\n", b"")
    target = clean.replace(b" ", b"%") or b"/"
    head = b"GET /%b?a=%b HTTP/1.1\r\nCookie: %b\r\na: %b\r\n\r\n" % (target, target, clean, clean)
    found = find_session_key(parse_key_rule(rule), read_handshake(head), ALONE)
    assert found.isascii()
    assert 0 < len(found) <= LONGEST_KEY
    is_in_share(found, 50.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "segment",
        "segment:0",
        "segment:-1",
        "segment:x",
        "query:",
        "cookie:a b",
        "header:a:b",
        "path:1",
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="names no session key; write one of"):
        parse_key_rule(text)


def test_the_default_rule_is_the_path() -> None:
    assert parse_key_rule(" path ") == KeyRule()


@pytest.mark.parametrize("line", [b"A: b\nX-Isshoni-Moved-From: blue", b"A: b\rC: d"])
def test_a_line_that_ends_with_half_of_crlf_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="half of CR LF"):
        read_handshake(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n")


def test_a_client_cannot_claim_to_have_been_moved() -> None:
    names = [
        "X-Isshoni-Moved-From: blue",
        "x-isshoni-moved-from : blue",
    ]
    head = request("/ws", *names).head
    assert b"moved" not in head.lower()
    assert len(head) < MAX_HEAD_BYTES
