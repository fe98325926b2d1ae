"""Collect clients' copies of a session's earlier log, to append what the present one lacks."""

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.log_merge import MergeStore, save_copies
from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.tasks import start_once
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Position, Recall
from isshoni.session.recovery import TAIL_EVENTS, LogMac, LostEntry

_MAX_SAVED = 4096


class EarlierCopies:
    """Asks each client with a position in an earlier epoch for messages that the log may lack.

    A new epoch has the messages that server processes had when it began. A client that was
    offline then may have the only copy of others, and its restore would discard them. That the
    log has the last of them proves nothing: its author may have sent it again. So each such
    client is asked once, unless earlier copies had every message that it can have.
    """

    def __init__(
        self,
        session_id: str,
        store: MergeStore,
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
        """The time until which to wait for the answer of each connection that was asked."""
        self._saved: dict[tuple[str, int], set[bytes]] = {}
        """Digests of copied messages that are now in the log, by the copy's epoch and seq."""
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Stop waiting for answers, and forget which copies were saved."""
        self._asked.clear()
        self._saved.clear()

    async def must_wait(self, connection: Connection, position: Position, held: bytes) -> bool:
        """True while waiting for a client's copy, asked for if the log may lack part of it."""
        if (deadline := self._asked.get(connection)) is not None:
            return monotonic() < deadline
        try:
            entry = self._macs.verify(self._session_id, position.epoch, held)
        except ProtocolError:
            return False
        if self._has_all(position.epoch, entry):
            return False
        self._asked = {one: until for one, until in self._asked.items() if not one.gone}
        self._asked[connection] = monotonic() + self._patience_seconds
        connection.send_message(Recall(position.epoch, max(0, entry.seq - TAIL_EVENTS)))
        return True

    def receive(self, connection: Connection, epoch: str, events: list[bytes]) -> None:
        """Save the events of an answer; raises `ProtocolError` at the first forged event."""
        if connection not in self._asked:
            return
        entries = [self._macs.verify(self._session_id, epoch, event) for event in events]
        copies = [entry for entry in entries if not self._has(epoch, entry)]
        start_once("save a client's copy", self._save(connection, epoch, copies))

    async def _save(self, connection: Connection, epoch: str, copies: list[LostEntry]) -> None:
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
        self._record_saved(epoch, copies)
        if merged.count:
            self._counters.messages_put_back += merged.count
            log_event("log_merged", session=self._session_id, appended=merged.count)
        self._asked[connection] = 0.0
        if copies:
            self._on_saved()  # the log may have been replaced

    def _record_saved(self, epoch: str, copies: list[LostEntry]) -> None:
        if len(self._saved) + len(copies) > _MAX_SAVED:
            self._saved.clear()  # clients are asked again, and nothing is appended twice
        for entry in copies:
            self._saved.setdefault((epoch, entry.seq), set()).add(_digest(entry))

    def _has(self, epoch: str, entry: LostEntry) -> bool:
        return _digest(entry) in self._saved.get((epoch, entry.seq), ())

    def _has_all(self, epoch: str, last: LostEntry) -> bool:
        """True if saved copies have an entry, and exactly one message at each seq before it."""
        before = range(max(1, last.seq - TAIL_EVENTS + 1), last.seq)
        one_each = all(len(self._saved.get((epoch, seq), ())) == 1 for seq in before)
        return one_each and self._has(epoch, last)


def _digest(entry: LostEntry) -> bytes:
    return blake2b(entry.envelope, digest_size=16).digest()
