"""A proxy of WebSocket messages that does one thing wrong, or nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


class Break(StrEnum):
    """What is done with one message on its way to a client."""

    NOTHING = "nothing"
    DROP = "drop"
    DOUBLE = "double"
    SWAP = "swap"


class BreakingProxy:
    """Passes on everything but one message to one client, which it breaks."""

    def __init__(self, upstream: str, what: Break, *, mark: bytes, after: int) -> None:
        self.port = 0
        self.broke = False
        self._upstream = upstream
        self._what = what
        self._mark = mark
        """What a message that counts has in it."""
        self._after = after
        """How many of them pass before."""
        self._held: str | bytes | None = None

    async def handle(self, client: ServerConnection) -> None:
        """Serve one client."""
        assert client.request is not None
        url = f"{self._upstream}{client.request.path}"
        async with connect(url, max_size=None, compression=None) as program:
            upwards = asyncio.create_task(self._pass_up(client, program))
            with suppress(ConnectionClosed):
                async for message in program:
                    for one in self._choose(message):
                        await client.send(one)
            upwards.cancel()

    async def _pass_up(self, client: ServerConnection, program: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in client:
                await program.send(message)
        await program.close()

    def _choose(self, message: str | bytes) -> list[str | bytes]:
        """Return what is sent on in place of a message."""
        content = message.encode() if isinstance(message, str) else message
        counts = self._mark in content
        if self._held is not None and counts:
            held, self._held = self._held, None
            return [message, held]
        if self.broke or self._what is Break.NOTHING or not counts:
            return [message]
        self._after -= 1
        if self._after > 0:
            return [message]
        self.broke = True
        if self._what is Break.SWAP:
            self._held = message
            return []
        return [] if self._what is Break.DROP else [message, message]


@asynccontextmanager
async def breaking_proxy(
    upstream: str, what: Break, *, mark: bytes = b"iv-", after: int = 20
) -> AsyncIterator[BreakingProxy]:
    """Run a proxy in front of `upstream` (`ws://HOST:PORT`)."""
    proxy = BreakingProxy(upstream, what, mark=mark, after=after)
    async with serve(proxy.handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        proxy.port = next(iter(server.sockets)).getsockname()[1]
        yield proxy
