"""Send plain requests through the balancer to one slot, as a round of probes does by the dozen."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from urllib.parse import urlencode

import httpx

from isshoni.environments.http import Answer, NoAnswer, ask
from isshoni.session.identifiers import PROBE_AGENT

TIMEOUT_SECONDS = 3.0
_HEADERS = {"User-Agent": PROBE_AGENT}
"""By which the balancer counts probes apart."""

SendRequest = Callable[[str, str, dict[str, str]], Awaitable[Answer]]
"""Sends a method to a path with a query; raises `NoAnswer`."""


@asynccontextmanager
async def open_requests(public_url: str) -> AsyncIterator[SendRequest]:
    """Yield the function that sends requests to an address.

    Without TLS by the small client: httpx takes ten times the CPU, on a machine that also serves
    users while it is probed.
    """
    if not public_url.startswith("https:"):
        yield lambda method, path, query: ask(
            f"{public_url}{path}?{urlencode(query)}",
            timeout_seconds=TIMEOUT_SECONDS,
            method=method,
            headers=_HEADERS,
        )
        return
    async with httpx.AsyncClient(
        timeout=TIMEOUT_SECONDS, trust_env=False, verify=_trust(), headers=_HEADERS
    ) as client:
        yield lambda method, path, query: _send(client, method, public_url + path, query)


async def _send(client: httpx.AsyncClient, method: str, url: str, query: dict[str, str]) -> Answer:
    try:
        response = await client.request(method, url, params=query)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
        raise NoAnswer(str(fault) or type(fault).__name__) from None
    return Answer(response.status_code, response.content)


@cache
def _trust() -> ssl.SSLContext:
    # Reading the certificates takes 40 ms, and probes are sent at every observation.
    return httpx.create_ssl_context()
