"""Bound what waits in memory for clients that do not read it, for each address."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from isshoni.backend.security.addresses import client_address
from isshoni.relay.core.handshake import Handshake

MOST_BYTES = 24 << 20
"""For all clients of one address. The memory used is up to twice as much."""
_FORWARDED = "X-Forwarded-For"
_PROXIES = 1
"""The load balancer, which alone connects to the relay."""


class Reader(Protocol):
    """A client that may leave unread what it is sent."""

    @property
    def unread_bytes(self) -> int:
        """Return how many bytes wait for it."""

    @property
    def handshake(self) -> Handshake | None:
        """Return its request."""


Client = TypeVar("Client", bound=Reader)


def find_offenders(clients: Iterable[Client], most_bytes: int = MOST_BYTES) -> list[Client]:
    """Return the clients to close so that no address has more than its share waiting.

    Of an address that has more, those for which the most is waiting.
    """
    by_address: dict[str, list[Client]] = {}
    for client in clients:
        by_address.setdefault(find_address(client.handshake), []).append(client)
    return [one for those in by_address.values() for one in _find_largest(those, most_bytes)]


def _find_largest(clients: list[Client], most_bytes: int) -> list[Client]:
    sizes = sorted(((one.unread_bytes, n) for n, one in enumerate(clients)), reverse=True)
    total, found = sum(size for size, _ in sizes), []
    for size, number in sizes:
        if total <= most_bytes:
            break
        total -= size
        found.append(clients[number])
    return found


def find_address(handshake: Handshake | None) -> str:
    """Return the address that a client is counted under; empty for this machine's own.

    Behind a proxy on this machine it is the one that this proxy names.
    """
    if handshake is None:
        return ""
    values = handshake.headers(_FORWARDED)
    headers = [(_FORWARDED.lower().encode(), value.encode("latin-1")) for value in values]
    found = client_address(None, headers, _PROXIES)
    if found is None and ",".join(values).count(",") >= _PROXIES:
        found = client_address(None, headers, _PROXIES + 1)
    return found or ""
