"""Which pages may open a WebSocket here: browsers ask nobody, so the server must."""

from collections.abc import Iterable

ANY_ORIGIN = "*"


def allows_origin(headers: Iterable[tuple[bytes, bytes]], allowed: tuple[str, ...]) -> bool:
    """Say whether a page of this `Origin` may connect (RFC 6455, 10.2).

    Without `allowed` only pages of this host may. Programs that are no browser send no
    origin; they could send any, so they are let through.
    """
    origins, host = [], b""
    for name, value in headers:
        if name == b"origin":
            origins.append(value)
        elif name == b"host":
            host = value
    if not origins or ANY_ORIGIN in allowed:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].decode("latin-1").lower()
    if allowed:
        return origin in allowed
    return origin.partition("://")[2] == host.decode("latin-1").lower() != ""
