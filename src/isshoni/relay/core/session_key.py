"""Find the session that a request belongs to; the clients of a session are moved together.

The key comes from untrusted clients: it is bounded, ASCII, and only ever compared or hashed.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote, unquote_to_bytes

from isshoni.relay.core.handshake import Handshake

PATH, SEGMENT, QUERY, COOKIE, HEADER = "path", "segment", "query", "cookie", "header"
LONGEST_KEY = 256
"""In characters. A longer key is replaced by its hash."""
_FORMS = "path, segment:N (from 1), query:NAME, cookie:NAME, header:NAME"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header or a cookie (RFC 9110, 5.6.2)."""
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*")


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Where in a request the session is named."""

    source: str = PATH
    name: str = ""
    """Of the query parameter, the cookie or the header."""
    segment: int = 0
    """Of the path, from 1."""


def parse_key_rule(text: str) -> KeyRule:
    """Return the rule that a setting names; raises `ValueError`."""
    source, _, name = text.strip().partition(":")
    if source == PATH and not name:
        return KeyRule()
    if source == SEGMENT and name.isascii() and name.isdigit() and 0 < int(name) < 100:
        return KeyRule(SEGMENT, segment=int(name))
    if source == QUERY and name:
        return KeyRule(QUERY, name)
    if source in (COOKIE, HEADER) and _TOKEN.fullmatch(name):
        return KeyRule(source, name)
    raise ValueError(f"{text!r} names no session key; write one of: {_FORMS}")


@lru_cache(maxsize=64)
def read_key_rule(text: str) -> KeyRule:
    """Return the rule that a setting names; the path if it names none."""
    try:
        return parse_key_rule(text)
    except ValueError:
        return KeyRule()


def find_session_key(rule: KeyRule, handshake: Handshake, connection: str) -> str:
    """Return the key of a request's session.

    A request without what the rule names belongs to the session of its path. A path that is
    the same for every client (`/`, or that of Socket.IO) names none: then the key is
    `connection`, and the client is moved alone.
    """
    path, query = _split(handshake.target)
    found = _find(rule, handshake, path, query)
    if not found and not _is_common(path, query):
        found = _normalise(path)
    return _bound(found or connection)


def find_parameter(target: str, name: str) -> str | None:
    """Return the first value of a query parameter, percent-encoded; None if it is not there."""
    wanted = name.encode()
    for part in _split(target)[1].split("&"):
        key, _, value = part.partition("=")
        if _decode_form(key) == wanted:
            return quote(_decode_form(value), safe="")
    return None


def _find(rule: KeyRule, handshake: Handshake, path: str, query: str) -> str | None:
    if rule.source == SEGMENT:
        segments = [part for part in path.split("/") if part]
        return _normalise(segments[rule.segment - 1]) if rule.segment <= len(segments) else None
    if rule.source == QUERY:
        return find_parameter(handshake.target, rule.name)
    if rule.source == COOKIE:
        return _find_cookie(handshake.headers("cookie"), rule.name)
    if rule.source == HEADER:
        value = handshake.header(rule.name)
        return None if value is None else _escape(value)
    return None


def _split(target: str) -> tuple[str, str]:
    """Return the path and the query of a request; its target may be a whole address."""
    target = _ORIGIN.sub("", target.partition("#")[0], count=1)
    path, _, query = target.partition("?")
    return path, query


def _is_common(path: str, query: str) -> bool:
    """True for a path that every client of an application uses."""
    return path in ("", "/") or any(part.startswith("EIO=") for part in query.split("&"))


def _normalise(path: str) -> str:
    """Return a path with one way of percent-encoding: `/a%62` and `/ab` are one session."""
    return "/".join(
        quote(unquote_to_bytes(part.encode("latin-1")), safe="") for part in path.split("/")
    )


def _decode_form(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1"))


def _find_cookie(headers: list[str], name: str) -> str | None:
    for pair in (pair for header in headers for pair in header.split(";")):
        key, is_pair, value = pair.partition("=")
        if is_pair and key.strip() == name:
            return _escape(value.strip().strip('"'))
    return None


def _escape(value: str) -> str:
    return quote(value.encode("latin-1"), safe="")


def _bound(key: str) -> str:
    if len(key) <= LONGEST_KEY:
        return key
    return "hash:" + blake2b(key.encode("ascii", "replace"), digest_size=16).hexdigest()
