"""End the process in order: acknowledge what clients have sent, close them, then stop."""

import asyncio

from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.log import log_event
from isshoni.backend.tasks import start_awaited, start_once


class Drain:
    """Waits for a request to drain, then until all clients are closed or the time is over."""

    def __init__(self, manager: WebSocketManager, bound_seconds: float) -> None:
        self._manager = manager
        self._bound_seconds = bound_seconds
        self._requested = asyncio.Event()
        self._hurried = asyncio.Event()
        self.failed = False
        """True if a task that the process needs has failed; its exit code says so."""

    def request(self) -> None:
        """Begin to drain; a second call ends it at once."""
        if self._requested.is_set():
            self._hurried.set()
        self._requested.set()

    def request_after_failure(self) -> None:
        """Begin to drain because a task that the process needs has failed."""
        self.failed = True
        self._requested.set()

    async def wait_until_done(self) -> None:
        """Wait for a request, then until all clients are acknowledged and closed, or a timeout."""
        await self._requested.wait()
        log_event("draining", connections=self._manager.connection_count)
        finishing = start_once("drain", self._manager.finish_all())
        hurrying = start_awaited("wait for a second signal", self._hurried.wait())
        await asyncio.wait(
            (finishing, hurrying),
            timeout=self._bound_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in (finishing, hurrying):
            task.cancel()
        log_event("drained", connections=self._manager.connection_count)
