"""Asking a program over HTTP whether it is ready."""

import httpx

from isshoni.environments.http import open_http

_TIMEOUT_SECONDS = 2.0


async def answers_ok(url: str) -> bool:
    """Say whether a GET of `url` is answered with success."""
    try:
        async with open_http(_TIMEOUT_SECONDS) as client:
            return (await client.get(url)).is_success
    except (httpx.HTTPError, OSError):
        return False
