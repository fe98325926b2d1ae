"""Where a client's session tokens come from."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.client.errors import TokenUnavailable

Token = str | Callable[[], Awaitable[str]]
"""A token, or what gives a fresh one each time that it is asked."""


class TokenSource:
    """The tokens of one client; nothing where the server asks for none."""

    def __init__(self, token: Token | None, timeout_seconds: float) -> None:
        self._token = token
        self._timeout_seconds = timeout_seconds

    @property
    def renews(self) -> bool:
        """Whether asking again can bring another token."""
        return callable(self._token)

    async def fetch(self) -> str | None:
        """Give a token, or None; raises `TokenUnavailable`."""
        if not callable(self._token):
            return self._token
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._token()
        except Exception as fault:
            raise TokenUnavailable(fault) from fault
