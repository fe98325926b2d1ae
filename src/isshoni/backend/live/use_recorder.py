"""Record in the background that a session is used: its expiry counts from the last time."""

import asyncio

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import SessionDirectory
from isshoni.backend.tasks import start_once

RETRY_SECONDS = 10.0
ATTEMPTS = 30


class UseRecorder:
    """Records the use of one session when it is loaded and unloaded, if sessions can expire.

    Never in the way of a restore, which needs no write. While a session stays open the sweep of
    the store records it (upkeep.py).
    """

    def __init__(self, session_id: str, store: SessionDirectory, *, enabled: bool) -> None:
        self._session_id = session_id
        self._store = store
        self._enabled = enabled

    def start(self) -> None:
        """Record the use soon; again for some minutes while the store refuses."""
        if self._enabled:
            start_once("record that a session is used", self._record())

    async def _record(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._store.record_use(self._session_id)
                return
            except SessionDeleted:
                return
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
