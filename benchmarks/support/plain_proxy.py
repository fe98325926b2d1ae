"""A TCP proxy as every balancer is one: new connections go where it points, old ones stay."""

import asyncio
from contextlib import suppress

READ_BYTES = 1 << 16


class PlainProxy:
    """Passes bytes on; knows nothing of WebSockets."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        """The port that new connections go to."""
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "PlainProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
                ends = (_pass(reader, up_writer), _pass(up_reader, writer))
                await asyncio.gather(*ends)
        finally:
            writer.close()
            self._connections.discard(task)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until either side ends, then end the other direction too."""
    try:
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
