"""Redis as a URL names it: one server, a primary that sentinels watch, or a cluster."""

import ssl
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from isshoni.backend.store.redis.link.address import RedisAddress
from isshoni.backend.store.redis.link.errors import InvalidRedisUrl

Kind = Literal["standalone", "sentinel", "cluster"]

_KINDS: dict[str, Kind] = {
    "redis": "standalone",
    "redis+sentinel": "sentinel",
    "redis+cluster": "cluster",
}
_DEFAULT_PORTS = {"standalone": 6379, "sentinel": 26_379, "cluster": 6379}


@dataclass(frozen=True)
class Deployment:
    """The addresses of a Redis, and how to log in."""

    kind: Kind
    seeds: tuple[RedisAddress, ...]
    """The server; or the sentinels; or some nodes of the cluster."""
    primary: RedisAddress
    """How to log in to a data node; with sentinels, its host is not known yet."""
    primary_name: str = ""
    """Its name in the configuration of the sentinels."""


def parse_redis_url(url: str) -> Deployment:
    """Parse a Redis URL; docs/redis.md lists its forms.

    Raises `InvalidRedisUrl`; its message never repeats a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError as fault:
        raise InvalidRedisUrl(str(fault)) from None
    encrypted = parts.scheme.startswith("rediss")
    kind = _KINDS.get(parts.scheme.replace("rediss", "redis", 1))
    if kind is None:
        raise InvalidRedisUrl(
            f"its scheme is {parts.scheme!r}, not redis, rediss or one with +cluster or +sentinel"
        )
    options = _parse_options(parts.query)
    tls = _make_tls_context(options) if encrypted else None
    sentinel_password = options.pop("sentinel_password", None) if kind == "sentinel" else None
    if options:
        raise InvalidRedisUrl(f"the option {next(iter(options))!r} is not known here")
    credentials, _, hosts = parts.netloc.rpartition("@")
    seeds = tuple(_parse_host(host, kind) for host in hosts.split(","))
    if kind == "standalone" and len(seeds) > 1:
        raise InvalidRedisUrl("it has several hosts; redis+cluster or redis+sentinel take those")
    primary_name, database = _parse_path(parts.path, kind)
    user, _, password = credentials.partition(":")
    primary = replace(
        seeds[0],
        database=database,
        username=unquote(user) or None,
        password=unquote(password) or None,
        tls=tls,
    )
    if kind == "sentinel":
        seeds = tuple(replace(seed, password=sentinel_password, tls=tls) for seed in seeds)
    else:
        seeds = tuple(replace(primary, host=seed.host, port=seed.port) for seed in seeds)
    return Deployment(kind, seeds, primary, primary_name)


def _parse_options(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def _parse_host(text: str, kind: Kind) -> RedisAddress:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port or _DEFAULT_PORTS[kind]
    except ValueError as fault:
        raise InvalidRedisUrl(str(fault)) from None
    if not parts.hostname:
        raise InvalidRedisUrl("it has no host")
    return RedisAddress(parts.hostname, port)


def _parse_path(path: str, kind: Kind) -> tuple[str, int]:
    """Return the primary's name and the number of the database."""
    name, text = "", path.strip("/")
    if kind == "sentinel":
        name, _, text = text.partition("/")
        if not name:
            raise InvalidRedisUrl(
                "the name that the sentinels know the primary by is missing: add /NAME"
            )
    if text and not (text.isascii() and text.isdigit()):
        raise InvalidRedisUrl(f"the database {text!r} is not a number")
    if kind == "cluster" and int(text or 0):
        raise InvalidRedisUrl(f"a cluster has only database 0, not {text}")
    return unquote(name), int(text or 0)


def _make_tls_context(options: dict[str, str]) -> ssl.SSLContext:
    authorities = options.pop("ssl_ca_certs", None)
    certificate, key = options.pop("ssl_certfile", None), options.pop("ssl_keyfile", None)
    checks_hostname = options.pop("ssl_check_hostname", "true")
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as fault:  # ssl.SSLError is one
        raise InvalidRedisUrl(f"ssl_ca_certs={authorities} cannot be used: {fault}") from None
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as fault:
        raise InvalidRedisUrl(f"ssl_certfile={certificate} cannot be used: {fault}") from None
    if checks_hostname not in ("true", "false"):
        raise InvalidRedisUrl(f"ssl_check_hostname={checks_hostname} is neither true nor false")
    context.check_hostname = checks_hostname == "true"
    return context
