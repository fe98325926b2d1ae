"""Repeat a re-read until it succeeds: callers ask for it only once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.tasks import start_lasting

RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Rereads:
    """Runs one session's re-reads, one at a time; `start` during one adds one more."""

    def __init__(self, session_id: str, reread: Callable[[], Awaitable[None]]) -> None:
        self._session_id = session_id
        self._reread = reread
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Re-read soon, and again after an error, until it succeeds or `stop` is called."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = start_lasting("re-read a session", self._run)

    def stop(self) -> None:
        """Stop repeating; a re-read that is running ends by itself."""
        self._wanted = False

    async def _run(self) -> None:
        failures = 0
        while self._wanted:
            self._wanted = False
            try:
                await self._reread()
                failures = 0
            except Exception as fault:
                self._wanted = True
                self._report(fault, failures)
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _report(self, fault: Exception, failures: int) -> None:
        if not isinstance(fault, StoreUnavailable):
            log_fault("reread_failed", fault, session=self._session_id)
        elif failures == 0:
            session = self._session_id
            log_event("reread_failed", level=logging.WARNING, session=session, error=fault)
