"""Whose address counts for a connection."""

import psutil
import pytest

from isshoni.backend.security.addresses import client_address, parse_address


def forwarded(*entries: str) -> list[tuple[bytes, bytes]]:
    """Make the header that proxies append to."""
    return [(b"x-forwarded-for", ", ".join(entries).encode())]


@pytest.mark.spec("A7")
def test_only_what_our_own_proxies_wrote_is_believed() -> None:
    headers = forwarded("1.1.1.1", "203.0.113.7", "198.51.100.9")
    assert client_address("127.0.0.1", headers, 1) == "198.51.100.9"
    assert client_address("127.0.0.1", headers, 2) == "203.0.113.7"
    assert client_address("192.0.2.1", headers, 0) == "192.0.2.1"


def test_loopback_does_not_count() -> None:
    assert client_address("127.0.0.1", [], 0) is None
    assert client_address("::1", [], 0) is None


def test_the_machine_s_own_addresses_do_not_count_either() -> None:
    listed = [parse_address(a.address) for nic in psutil.net_if_addrs().values() for a in nic]
    own = [str(address) for address in listed if address is not None]
    assert own
    assert all(client_address("127.0.0.1", forwarded(address), 1) is None for address in own)
