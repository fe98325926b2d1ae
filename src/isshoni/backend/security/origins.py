"""Which pages may open a WebSocket here: browsers allow every page, so the server checks."""

from collections.abc import Iterable

ANY_ORIGIN = "*"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_MAX_SHOWN_CHARACTERS = 200

Headers = Iterable[tuple[bytes, bytes]]


def origin_fault(
    headers: Headers,
    allowed: tuple[str, ...],
    *,
    behind_proxies: bool = False,
    regions: tuple[str, ...] = (),
) -> str | None:
    """Return why a page of this `Origin` may not connect; None if it may (RFC 6455, 10.2).

    Without `allowed` only pages of this host may. Behind trusted proxies, the host and port
    in their `X-Forwarded-*` headers count too. Pages of other `regions` may: their clients come
    here when their own region fails. Programs other than browsers send no origin; they
    are let through, because they could send any.
    """
    named = _NamedHosts(headers)
    if not named.origins or ANY_ORIGIN in allowed:
        return None
    if len(named.origins) > 1:
        return f"the request has {len(named.origins)} Origin headers; one is allowed"
    origin = _without_default_port(named.origins[0].lower())
    if is_region_origin(origin, regions):
        return None
    if allowed:
        if origin in {_without_default_port(entry) for entry in allowed}:
            return None
        return f"the page is from {_show(origin)}, but ISSHONI_ORIGINS lists {', '.join(allowed)}"
    hosts = named.hosts(behind_proxies)
    scheme, _, host = origin.partition("://")
    if host and origin in {_without_default_port(f"{scheme}://{entry}") for entry in hosts}:
        return None
    names = " or ".join(_show(entry) for entry in hosts) or "no host (the Host header is missing)"
    return (
        f"the page is from {_show(origin)}, but the request was for {names}: let the proxy "
        f"in front pass the Host header on, or add {_show(origin)} to ISSHONI_ORIGINS (locally: "
        "origins in isshoni.toml)"
    )


def is_region_origin(origin: str, regions: Iterable[str]) -> bool:
    """True if an `Origin` is that of another region."""
    return _without_default_port(origin.lower()) in {
        _without_default_port(entry) for entry in regions
    }


class _NamedHosts:
    """The headers of a request that name its page and the host that it was sent to."""

    def __init__(self, headers: Headers) -> None:
        self.origins: list[str] = []
        self._values: dict[bytes, str] = {}
        for name, value in headers:
            if name == b"origin":
                self.origins.append(value.decode("latin-1"))
            elif name in (b"host", b"x-forwarded-host", b"x-forwarded-port"):
                self._values[name] = value.decode("latin-1").rpartition(",")[2].strip().lower()

    def hosts(self, behind_proxies: bool) -> list[str]:
        """List the hosts that the request may have been sent to."""
        named = [self._values.get(b"host", "")]
        if behind_proxies:
            named.append(self._values.get(b"x-forwarded-host", ""))
            port = self._values.get(b"x-forwarded-port", "")
            named += [f"{host}:{port}" for host in named if port and host and not _has_port(host)]
        return list(dict.fromkeys(host for host in named if host))


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdecimal()


def _without_default_port(origin: str) -> str:
    """Return an origin as browsers write it: without its scheme's default port."""
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], "\0"))


def _show(text: str) -> str:
    return text[:_MAX_SHOWN_CHARACTERS]
