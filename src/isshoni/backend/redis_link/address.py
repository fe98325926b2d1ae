"""Where Redis is and how to get in."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from isshoni.backend.redis_link.errors import InvalidRedisUrl


@dataclass(frozen=True)
class RedisAddress:
    """A parsed Redis URL; `str()` of it shows no secret."""

    host: str
    port: int = 6379
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def parse_redis_url(url: str) -> RedisAddress:
    """Parse `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.

    `rediss://…?ssl_ca_certs=FILE` names the CA to trust instead of the system's.
    Raises `InvalidRedisUrl`; its message never repeats the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as fault:
        raise InvalidRedisUrl(str(fault)) from None
    if parts.scheme not in ("redis", "rediss"):
        raise InvalidRedisUrl(f"its scheme is {parts.scheme!r}, not redis or rediss")
    if not parts.hostname:
        raise InvalidRedisUrl("it has no host")
    tls = _make_tls_context(parts.query) if parts.scheme == "rediss" else None
    if parts.query and tls is None:
        raise InvalidRedisUrl(f"the option {parts.query!r} is not known here")
    return RedisAddress(
        host=parts.hostname,
        port=port,
        database=_parse_database(parts.path),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
    )


def _parse_database(path: str) -> int:
    text = path.strip("/")
    if text and not (text.isascii() and text.isdigit()):
        raise InvalidRedisUrl(f"the database {text!r} is not a number")
    return int(text or 0)


def _make_tls_context(query: str) -> ssl.SSLContext:
    options = dict(parse_qsl(query))
    authorities = options.pop("ssl_ca_certs", None)
    if options:
        raise InvalidRedisUrl(f"the option {next(iter(options))!r} is not known here")
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as fault:  # ssl.SSLError is one
        raise InvalidRedisUrl(f"ssl_ca_certs={authorities} cannot be used: {fault}") from None
