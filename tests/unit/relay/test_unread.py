"""What waits for clients of one address that do not read it is bounded."""

from dataclasses import dataclass

import pytest

from isshoni.relay.core.handshake import Handshake, read_handshake
from isshoni.relay.unread import find_address, find_offenders


@dataclass
class Waiting:
    """A client for which some bytes wait."""

    unread_bytes: int
    forwarded: str | None

    @property
    def handshake(self) -> Handshake:
        line = f"X-Forwarded-For: {self.forwarded}\r\n" if self.forwarded else ""
        head = f"GET /ws HTTP/1.1\r\nHost: test\r\n{line}\r\n"
        return read_handshake(head.encode())


def test_clients_for_which_the_most_waits_are_closed_until_the_rest_is_within_bounds() -> None:
    clients = [Waiting(size, "203.0.113.7") for size in (10, 50, 30, 20)]
    assert find_offenders(clients, 60) == [clients[1]]
    assert find_offenders(clients, 59) == [clients[1], clients[2]]


def test_no_client_of_another_address_is_closed() -> None:
    greedy = [Waiting(100, "203.0.113.7") for _ in range(10)]
    modest = [Waiting(99, f"198.51.100.{n}") for n in range(10)]
    found = find_offenders([*greedy, *modest], 100)
    assert len(found) == 9 and all(client in greedy for client in found)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first one is the client's claim
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),  # behind a proxy on this machine
        ("127.0.0.1", ""),
        (None, ""),
        ("nonsense", ""),
    ],
)
def test_a_client_is_counted_under_the_address_that_the_balancer_saw(
    forwarded: str | None, address: str
) -> None:
    assert find_address(Waiting(0, forwarded).handshake) == address
