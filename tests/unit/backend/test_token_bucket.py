"""Rates, with time passed in."""

from hypothesis import given
from hypothesis import strategies as st

from isshoni.backend.security.addresses import client_address, is_private
from isshoni.session.server.token_bucket import Rate, TokenBucket


def test_a_burst_passes_and_the_next_one_waits_for_its_token() -> None:
    bucket = TokenBucket(Rate(10, 3))
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, 0]
    wait = bucket.take(100.0)
    assert round(wait, 6) == 0.1
    assert bucket.take(100.0 + wait) == 0
    assert bucket.take(100.0 + wait) > 0


def test_what_costs_more_than_the_burst_goes_through_a_full_bucket() -> None:
    bucket = TokenBucket(Rate(10, 5))
    assert bucket.take(0.0, 20) == 0
    assert round(bucket.take(0.0), 6) == 1.6


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 8)), max_size=200))
def test_never_more_passes_than_the_burst_and_the_rate(
    steps: list[tuple[float, float]],
) -> None:
    rate = Rate(5.0, 8.0)
    bucket, now, passed = TokenBucket(rate), 1000.0, 0.0
    for pause, cost in steps:
        now += pause
        wait = bucket.take(now, cost)
        passed += cost if wait == 0 else 0
        assert passed <= rate.burst + rate.per_second * (now - 1000.0) + 1e-3
        assert wait == 0 or bucket.wait_for(now + wait, cost) == 0


def test_only_what_trusted_proxies_wrote_counts() -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"), (b"x-forwarded-for", b"3.3.3.3")]
    assert client_address("9.9.9.9", headers, 0) == "9.9.9.9"
    assert client_address("9.9.9.9", headers, 1) == "3.3.3.3"
    assert client_address("9.9.9.9", headers, 2) == "2.2.2.2"
    assert client_address("9.9.9.9", [], 1) == "9.9.9.9"
    assert client_address("127.0.0.1", [], 0) is None
    assert client_address("9.9.9.9", [(b"x-forwarded-for", b"garbage")], 1) is None


def test_one_subscriber_of_ipv6_is_one_address() -> None:
    assert client_address("2001:db8::1", [], 0) == client_address("2001:db8::2", [], 0)
    assert client_address("::ffff:9.9.9.9", [], 0) == "9.9.9.9"


def test_only_loopback_and_private_networks_are_private() -> None:
    for address in ("127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "::1", "fd00::1"):
        assert is_private(address), address
    for address in ("0.0.0.0", "::", "8.8.8.8", "172.32.0.1", "169.254.1.1", "100.64.0.1", "x"):
        assert not is_private(address), address
