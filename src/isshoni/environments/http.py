"""HTTP clients: short-lived ones, which share what is dear to make."""

import ssl
from functools import cache

import httpx


@cache
def _trust() -> ssl.SSLContext:
    # Reading the certificates takes 40 ms, and the engine looks around four times a second.
    return httpx.create_ssl_context()


def open_http(
    timeout_seconds: float,
    *,
    headers: dict[str, str] | None = None,
    limits: httpx.Limits = httpx.Limits(),  # noqa: B008 - it is frozen in fact
) -> httpx.AsyncClient:
    """Make a client that goes straight to its server, whatever proxies are set."""
    return httpx.AsyncClient(
        headers=headers, timeout=timeout_seconds, limits=limits, trust_env=False, verify=_trust()
    )
