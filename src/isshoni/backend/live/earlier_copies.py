"""Collect clients' copies of a session's earlier log, for what the present one lacks."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.live.log_merge import save_copies
from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.store.ports import SessionStore
from isshoni.backend.tasks import start_once
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Position, Recall
from isshoni.session.recovery import TAIL_EVENTS, LogMac, LostEntry

if TYPE_CHECKING:
    from isshoni.backend.live.connection import Connection


class EarlierCopies:
    """Asks each client that comes from an earlier epoch once for what the new one lacks.

    A new epoch holds what the server processes had when it began. A client that was offline
    then may have the only copy of the last messages, and its restore would discard them.
    """

    def __init__(
        self,
        session_id: str,
        store: SessionStore,
        macs: LogMac,
        counters: Counters,
        patience_seconds: float,
        on_saved: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._macs = macs
        self._counters = counters
        self._patience_seconds = patience_seconds
        self._on_saved = on_saved
        self._asked: dict[Connection, float] = {}
        """Until when to wait for the answer of each connection that was asked."""
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Stop waiting for answers."""
        self._asked.clear()

    async def must_wait(self, connection: "Connection", position: Position, held: bytes) -> bool:
        """True while waiting for a client's copy, asked for if `held` proves it useful."""
        if (deadline := self._asked.get(connection)) is not None:
            return monotonic() < deadline
        try:
            entry = self._macs.verify(self._session_id, position.epoch, held)
        except ProtocolError:
            return False
        if await self._store.last_n(self._session_id, entry.client_id) >= entry.n:
            return False
        self._asked = {one: until for one, until in self._asked.items() if not one.gone}
        self._asked[connection] = monotonic() + self._patience_seconds
        connection.tell(Recall(position.epoch, max(0, entry.seq - TAIL_EVENTS)))
        return True

    def take(self, connection: "Connection", epoch: str, events: list[bytes]) -> None:
        """Save the events of an answer; raises `ProtocolError` at the first forged event."""
        if connection not in self._asked:
            return
        copies = [self._macs.verify(self._session_id, epoch, event) for event in events]
        start_once("save a client's copy", self._save(connection, epoch, copies))

    async def _save(self, connection: "Connection", epoch: str, copies: list[LostEntry]) -> None:
        try:
            async with self._lock:
                merged = await save_copies(self._store, self._session_id, epoch, copies)
        except SessionDeleted:
            return
        except StoreUnavailable as fault:
            # The client still has its copy, and is asked again when it reconnects.
            self._asked.pop(connection, None)
            log_event("copy_not_saved", session=self._session_id, error=fault)
            return
        if merged.count:
            self._counters.messages_put_back += merged.count
            log_event("log_merged", session=self._session_id, appended=merged.count)
        self._asked[connection] = 0.0
        self._on_saved()  # the log may be yet another one
