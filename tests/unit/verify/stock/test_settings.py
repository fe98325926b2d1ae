"""Settings of stock clients: each fault is refused with the value and what to do."""

from typing import Any

import pytest

from isshoni.verify.settings import InvalidRun
from isshoni.verify.stock.settings import Kind, StockSettings

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://h/ws"}, r"--url 'http://h/ws' is no address .* ws:// or wss://"),
    ({"url": "ws:///ws"}, "name a host"),
    ({"template": "hello"}, r"--message-template 'hello' has no \{id\}"),
    ({"kind": Kind.YJS, "joins": ("hi",)}, "leave --message-template and --join away"),
    ({"path": "/x"}, "--path belongs to --client socket.io"),
    ({"auth": "{}"}, "--auth is of no use with --client plain"),
    ({"kind": Kind.SOCKET_IO, "template": "{id}"}, "is no event"),
    ({"kind": Kind.SOCKET_IO, "joins": ("{}",)}, "--join '{}' is no event"),
    ({"kind": Kind.SOCKET_IO, "auth": "room"}, "--auth 'room' is no JSON object"),
]


@pytest.mark.parametrize(("changed", "sentence"), FAULTS)
def test_settings_that_are_wrong_are_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRun, match=sentence):
        StockSettings(**({"kind": Kind.PLAIN, "url": "ws://h:8000/ws"} | changed))


def test_rooms_and_clients_are_filled_in_wherever_they_are_named() -> None:
    settings = StockSettings(
        Kind.SOCKET_IO,
        "http://h:1/{room}",
        '["say", {"to": "{room}", "text": "{id}"}]',
        ('["join", "{room}", "{client}", "{number}"]',),
        '{"room": "{room}"}',
    )
    one = settings.fill("r1", 7)
    assert one.url == "http://h:1/r1"
    assert one.message == '["say", {"to": "r1", "text": "{id}"}]'
    assert one.joins == ('["join", "r1", "stock-7", "7"]',)
    assert one.auth == '{"room": "r1"}'


def test_each_kind_fills_in_its_defaults() -> None:
    for kind in Kind:
        url = "http://h:1" if kind is Kind.SOCKET_IO else "ws://h:1"
        assert "{id}" in StockSettings(kind, url).fill("r", 1).message


def test_without_a_room_anywhere_all_clients_are_in_one() -> None:
    assert not StockSettings(Kind.PLAIN, "ws://h:1/ws").names_rooms
    assert StockSettings(Kind.PLAIN, "ws://h:1/ws/{room}").names_rooms
    assert StockSettings(Kind.YJS, "ws://h:1/ws").names_rooms
