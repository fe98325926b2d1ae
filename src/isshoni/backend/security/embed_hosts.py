"""The hosts whose pages may be embedded in the canvas, as origins."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]")


class BadEmbedHost(ValueError):
    """An entry that is no host name."""

    def __init__(self, entry: str) -> None:
        super().__init__(
            f"{entry!r:.80} is not a host name like www.youtube.com, without a scheme, a port, a "
            "path or * (loopback, for trials: http://127.0.0.1:PORT)"
        )


def parse_embed_hosts(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the origins of a list of host names, each once; raise `BadEmbedHost`.

    A host name stands for its pages over https. Only loopback may be named as an origin, and
    only over http.
    """
    cleaned = (entry.strip().lower() for entry in entries)
    return tuple(dict.fromkeys(_parse(entry) for entry in cleaned if entry))


def _parse(entry: str) -> str:
    if _HOST_NAME.fullmatch(entry):
        return f"https://{entry}"
    if _is_loopback(entry):
        return entry
    raise BadEmbedHost(entry)


def _is_loopback(entry: str) -> bool:
    """True for exactly `http://HOST:PORT` or `http://HOST`, where HOST is a loopback address."""
    try:
        parts = urlsplit(entry)
        host, port = parts.hostname or "", parts.port
        is_local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
    shown = f"[{host}]" if ":" in host else host
    return is_local and entry == f"http://{shown}" + ("" if port is None else f":{port}")
