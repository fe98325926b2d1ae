"""Where a client's session tokens come from."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.client.errors import TokenUnavailable

Token = str | Callable[[], Awaitable[str]]
"""A token, or a callable that returns a fresh one each time."""


class TokenSource:
    """The tokens of one client; None if the server asks for none."""

    def __init__(self, token: Token | None, timeout_seconds: float) -> None:
        self._token = token
        self._timeout_seconds = timeout_seconds

    @property
    def renews(self) -> bool:
        """True if asking again can return another token."""
        return callable(self._token)

    async def fetch(self) -> str | None:
        """Return a token, or None; raises `TokenUnavailable`.

        White space around it is removed: a token that was read from a file ends with a line end,
        which would end the headers of the handshake.
        """
        if not callable(self._token):
            return self._token.strip() if self._token else self._token
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return (await self._token()).strip()
        except Exception as fault:
            raise TokenUnavailable(fault) from fault
