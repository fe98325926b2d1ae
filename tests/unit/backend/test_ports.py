"""The ports of the store stay small: a consumer takes those that it uses."""

from typing import Protocol

from isshoni.backend.store import ports

MOST_METHODS = 8


def _own_methods(port: type) -> list[str]:
    return [name for name in vars(port) if not name.startswith("_")]


def test_no_port_has_many_methods() -> None:
    found = [
        one for one in vars(ports).values() if isinstance(one, type) and Protocol in one.__mro__
    ]
    counts = {port.__name__: len(_own_methods(port)) for port in found}
    assert {"ChatStore", "CanvasStore", "SessionBus"} <= counts.keys()
    assert {name: count for name, count in counts.items() if count >= MOST_METHODS} == {}
