"""Which address a client tries next: the vectors that both clients pass."""

from typing import Any

from isshoni.session.addresses import Addresses
from tests.unit.session.vectors import cases


@cases("addresses")
def test_vector(steps: list[dict[str, Any]]) -> None:
    addresses = Addresses("wss://app.example")
    for step in steps:
        match step["do"]:
            case "restored":
                addresses.restored(step["address"], step["alternatives"])
            case "lost":
                addresses.lost()
            case "fail":
                assert addresses.fail() is step["at_once"], step
        assert addresses.current == step["is"], step
        if "rounds" in step:
            assert addresses.failed_rounds == step["rounds"], step
