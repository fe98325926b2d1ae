"""Which pages may connect, and what is said of those that may not."""

import pytest

from isshoni.backend.security.origins import origin_fault


def headers(
    *, origin: str | None, host: str | None = None, **more: str
) -> list[tuple[bytes, bytes]]:
    said = {"origin": origin, "host": host} | {k.replace("_", "-"): v for k, v in more.items()}
    return [(name.encode(), value.encode()) for name, value in said.items() if value is not None]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://h.example", "h.example"),
        ("https://h.example", "h.example:443"),
        ("http://h.example", "h.example:80"),
        ("https://H.example", "h.EXAMPLE"),
        ("https://h.example:8443", "h.example:8443"),
        ("https://[2001:db8::1]", "[2001:db8::1]:443"),
        (None, "h.example"),
        (None, None),
    ],
)
def test_pages_of_this_host_may_connect(origin: str | None, host: str | None) -> None:
    assert origin_fault(headers(origin=origin, host=host), ()) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "h.example"),
        ("https://h.example", "h.example:80"),
        ("http://h.example", "h.example:443"),
        ("https://h.example:8443", "h.example"),
        ("https://h.example", None),
        ("null", "null"),
        ("", ""),
        ("https://", ""),
        ("https://h.example.evil", "h.example"),
    ],
)
def test_other_pages_may_not(origin: str, host: str | None) -> None:
    assert origin_fault(headers(origin=origin, host=host), ()) is not None


def test_a_refusal_names_both_values_and_the_remedies() -> None:
    fault = origin_fault(headers(origin="https://h.example", host="10.0.0.7:9001"), ())
    assert fault == (
        "the page is from https://h.example, but the request was for 10.0.0.7:9001: let the "
        "proxy in front pass the Host header on, or add https://h.example to ISSHONI_ORIGINS "
        "(locally: origins in isshoni.toml)"
    )
    assert "no host (the Host header is missing)" in (
        origin_fault(headers(origin="https://h.example"), ()) or ""
    )


def test_what_proxies_say_counts_only_where_they_are_trusted() -> None:
    said = headers(
        origin="https://h.example", host="127.0.0.1:8080", x_forwarded_host="evil, h.example"
    )
    assert origin_fault(said, (), behind_proxies=True) is None
    assert origin_fault(said, ()) is not None
    said = headers(origin="https://h.example:8443", host="h.example", x_forwarded_port="8443")
    assert origin_fault(said, (), behind_proxies=True) is None
    assert origin_fault(said, ()) is not None


def test_listed_origins_may_connect_with_or_without_their_default_port() -> None:
    listed = ("https://a.example:443", "https://b.example")
    for origin in ("https://a.example", "https://B.example:443"):
        assert origin_fault(headers(origin=origin, host="h"), listed) is None
    fault = origin_fault(headers(origin="https://h", host="h"), listed)
    assert fault == (
        "the page is from https://h, but ISSHONI_ORIGINS lists https://a.example:443, https://b.example"
    )
    assert origin_fault(headers(origin="https://any", host="h"), ("*",)) is None


def test_two_origins_are_refused() -> None:
    twice = headers(origin="https://h", host="h") + headers(origin="https://h")
    assert origin_fault(twice, ()) == "the request has 2 Origin headers; one is allowed"


def test_pages_of_another_region_may_connect() -> None:
    regions = ("https://east.example:443", "http://127.0.0.1:9000")
    for allowed in ((), ("https://app.example",)):
        for origin in ("https://east.example", "http://127.0.0.1:9000"):
            found = headers(origin=origin, host="west.example")
            assert origin_fault(found, allowed, regions=regions) is None
            assert origin_fault(found, allowed) is not None
    assert origin_fault(headers(origin="https://evil.example", host="w"), (), regions=regions)
