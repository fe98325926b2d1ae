"""Copies of an earlier log of a session: what its clients hold and the present log may lack."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from isshoni.backend.counters import Counters
from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.log_merge import save_copies
from isshoni.backend.ports import SessionStore
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Position, Recall
from isshoni.session.recovery import TAIL_EVENTS, LogMac, LostEntry

if TYPE_CHECKING:
    from isshoni.backend.connection import Connection


class EarlierCopies:
    """Asks clients that come from an earlier epoch for what the new one lacks, once each.

    A new epoch holds all that the processes of that moment held. A client that was away then
    may be the only one that heard the last messages, and forgets them with its restore.
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
        """Until when a connection's answer is waited for."""
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Wait for no answer any more."""
        self._asked.clear()

    async def must_wait(self, connection: "Connection", position: Position, held: bytes) -> bool:
        """True while a client is asked for its copy; `held` proves that it has one worth asking."""
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
        """Take an answer; raises `ProtocolError` at the first forged event."""
        if connection not in self._asked:
            return
        copies = [self._macs.verify(self._session_id, epoch, event) for event in events]
        task = asyncio.get_running_loop().create_task(self._save(connection, epoch, copies))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save(self, connection: "Connection", epoch: str, copies: list[LostEntry]) -> None:
        try:
            async with self._lock:
                merged = await save_copies(self._store, self._session_id, epoch, copies)
        except SessionDeleted:
            return
        except StoreUnavailable as fault:
            # The client still holds it, and is asked again when it comes back.
            self._asked.pop(connection, None)
            log_event("copy_not_saved", session=self._session_id, error=fault)
            return
        if merged.count:
            self._counters.messages_put_back += merged.count
            log_event("log_merged", session=self._session_id, appended=merged.count)
        self._asked[connection] = 0.0
        self._on_saved()  # the log may be yet another one
