"""What an error of the engine advises."""

import pytest

from isshoni.engine.errors import LeaseHeld
from isshoni.engine.lease import describe_self


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("deploy v2", "isshoni rollback"),
        ("fail over from east to west", "isshoni failover --abort"),
    ],
)
def test_a_held_lease_names_the_command_that_ends_its_work(what: str, command: str) -> None:
    words = str(LeaseHeld(describe_self(what, 1000.0)))
    assert f"`{command}`" in words
    assert words.count("`isshoni ") == 2  # and status


@pytest.mark.parametrize("what", ["down", "up v1", "evacuate blue-1", "roll back v2"])
def test_what_cannot_be_rolled_back_is_only_waited_for(what: str) -> None:
    words = str(LeaseHeld(describe_self(what, 1000.0)))
    assert words.endswith("Watch it with `isshoni status`, or wait for it")
