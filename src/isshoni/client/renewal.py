"""Send a fresh token before the one of a connection expires."""

import asyncio
from collections.abc import Callable

from isshoni.client.errors import TokenUnavailable
from isshoni.client.token import TokenSource

_MARGIN = 0.25
"""How much of a token's life is left when the next one is asked for."""
_MAX_MARGIN_SECONDS = 60.0
_RETRY_SECONDS = 5.0


class Renewal:
    """Keeps one connection authenticated; does nothing if the token is a fixed one."""

    def __init__(self, tokens: TokenSource, send: Callable[[str], None]) -> None:
        self._tokens = tokens
        self._send = send
        self._timer: asyncio.TimerHandle | None = None
        self._fetching: asyncio.Task[None] | None = None

    def schedule(self, expires_in_ms: int | None) -> None:
        """Renew before the current token expires."""
        if expires_in_ms is None or not self._tokens.renews:
            return
        expires_in = expires_in_ms / 1000
        self._call_later(expires_in - min(expires_in * _MARGIN, _MAX_MARGIN_SECONDS))

    def stop(self) -> None:
        """Stop renewing."""
        for work in (self._timer, self._fetching):
            if work is not None:
                work.cancel()

    def _call_later(self, delay_seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_seconds, self._renew_now)

    def _renew_now(self) -> None:
        self._fetching = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        try:
            token = await self._tokens.fetch()
        except TokenUnavailable:
            # The old one may hold for a while; if not, the return asks again.
            self._call_later(_RETRY_SECONDS)
            return
        if token is not None:
            self._send(token)
