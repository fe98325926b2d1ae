"""The URL that names a Redis: taken apart, or refused with its fault."""

import pytest

from isshoni.backend.store.redis.link import InvalidRedisUrl, parse_redis_url


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://h", "its scheme is 'http'"),
        ("redis://", "it has no host"),
        ("redis://h/one", "the database 'one' is not a number"),
        ("redis://h:99999", "Port out of range"),
        ("redis://h?db=1", "the option 'db' is not known"),
        ("redis://one:1,two:2", "it has several hosts"),
        ("redis+cluster://one:1,two:2/3", "a cluster has only database 0"),
        ("redis+sentinel://one:1,two:2", "sentinels know the primary by is missing"),
        ("redis+cluster://one:1,:2", "it has no host"),
        ("rediss://h?ssl_cert_reqs=none", "the option 'ssl_cert_reqs' is not known"),
        ("rediss://h?ssl_ca_certs=/nowhere.pem", "cannot be used"),
    ],
)
def test_a_wrong_url_is_refused_with_its_fault(url: str, fault: str) -> None:
    with pytest.raises(InvalidRedisUrl, match=fault):
        parse_redis_url(url)


def test_a_url_is_taken_apart_and_its_password_kept_out_of_sight() -> None:
    address = parse_redis_url("redis://us%40er:p%2Fw@[::1]:7000/2").primary
    assert (address.host, address.port, address.database) == ("::1", 7000, 2)
    assert (address.username, address.password) == ("us@er", "p/w")
    assert "p/w" not in f"{address} {address!r}"
