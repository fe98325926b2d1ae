"""The address that a connection comes from, and which addresses are private."""

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import psutil

_PRIVATE = [
    ip_network(block)
    for block in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]
"""Loopback, RFC 1918 and RFC 4193. Not what Python calls private: that has 0.0.0.0 in it."""

Headers = Iterable[tuple[bytes, bytes]]


def is_private(address: str) -> bool:
    """True if only this machine or its private network can reach an address."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in block for block in _PRIVATE)


def client_address(peer: str | None, headers: Headers, trusted_proxies: int) -> str | None:
    """Return the address that a connection is counted under; None for this machine's own.

    Each proxy appends the address of its peer to `X-Forwarded-For`. Only the last
    `trusted_proxies` entries were written by trusted proxies: a client can forge the others.
    """
    heard = [value for name, value in headers if name == b"x-forwarded-for"]
    entries = b",".join(heard).decode("latin-1").split(",") if heard else []
    counted = entries[-trusted_proxies:] if trusted_proxies else []
    parsed = parse_address((counted[0] if counted else peer or "").strip())
    if parsed is None or parsed.is_loopback or parsed in _own_addresses():
        return None
    return _network_of(parsed)


@cache
def _own_addresses() -> frozenset[IPv4Address | IPv6Address]:
    """List this machine's addresses: Envoy writes one of them for a client on loopback."""
    listed = (parse_address(a.address) for nic in psutil.net_if_addrs().values() for a in nic)
    return frozenset(address for address in listed if address is not None)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address; an IPv4-mapped IPv6 address becomes IPv4. None if it is none."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _network_of(address: IPv4Address | IPv6Address) -> str:
    """Return an IPv4 address itself, and the /64 of an IPv6 one: a subscriber has all of it."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, 64), strict=False))
