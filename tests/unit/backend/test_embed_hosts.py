"""The hosts whose pages may be embedded: in the settings, in the policy, and in the page."""

from pathlib import Path

import pytest

from isshoni.backend.http.headers import make_headers
from isshoni.backend.http.pages import Pages
from isshoni.backend.security.embed_hosts import BadEmbedHost, parse_embed_hosts
from isshoni.environments.local.config import LocalConfig

ORIGINS = ("https://www.youtube.com", "https://player.vimeo.com")


def test_a_host_name_stands_for_its_pages_over_https_once() -> None:
    entries = ["www.YouTube.com", " player.vimeo.com", "www.youtube.com", ""]
    assert parse_embed_hosts(entries) == ORIGINS


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8099", "http://localhost:8099", "http://[::1]:8099"]
)
def test_only_loopback_may_be_named_with_http_and_a_port(origin: str) -> None:
    assert parse_embed_hosts([origin]) == (origin,)


@pytest.mark.parametrize(
    "entry",
    [
        "https://www.youtube.com",
        "http://www.youtube.com",
        "*.vimeo.com",
        "a.example:8443",
        "a.example/path",
        "a.example; script-src *",
        "a.example 'unsafe-inline'",
        "localhost",
        "192.168.0.7",
        "http://192.168.0.7:8080",
        "http://user@127.0.0.1:8080",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://127.0.0.1.evil.example",
        "データ.example",
        f"{'a' * 250}.example",
    ],
)
def test_any_other_entry_is_refused_by_its_value(entry: str) -> None:
    with pytest.raises(BadEmbedHost, match=r"is not a host name like www\.youtube\.com"):
        parse_embed_hosts([entry])


def test_the_local_setting_names_the_bad_entry() -> None:
    assert LocalConfig(embed_hosts=("www.youtube.com",)).embed_hosts == ("www.youtube.com",)
    with pytest.raises(
        ValueError, match=r"(?s)embed_hosts.*'https://a\.example' is not a host name"
    ):
        LocalConfig(embed_hosts=("https://a.example",))


def test_the_policy_allows_frames_of_these_hosts_only() -> None:
    policy = make_headers(ORIGINS)[b"content-security-policy"].decode()
    assert "frame-src https://www.youtube.com https://player.vimeo.com" in policy.split("; ")
    assert "frame-src" not in make_headers()[b"content-security-policy"].decode()


async def test_the_page_names_the_hosts_and_another_list_changes_its_etag(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><head></head><body></body>")
    plain = await Pages(tmp_path).find_index(1)
    some = await Pages(tmp_path, ORIGINS).find_index(1)
    assert plain is not None and some is not None
    assert b"embed-hosts" not in plain.content
    assert b'<meta name="embed-hosts" content="https://www.youtube.com https://' in some.content
    assert plain.etag != some.etag
