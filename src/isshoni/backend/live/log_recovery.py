"""Recover a session's chat log after a failover: restore lost messages or begin a new epoch."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.live.comparison import Comparison
from isshoni.backend.live.log_merge import MergeStore, merge_lost, read_log, save_copies
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import Entry, digest_stored
from isshoni.backend.tasks import start_once
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Recall
from isshoni.session.recovery import (
    TAIL_EVENTS,
    LogMac,
    LostEntry,
    Recovery,
    read_entry,
)

RETRY_SECONDS = 0.5
PAUSE_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds after each recovery in a row that changed nothing. The first is usual: another process
may have put everything back. During a pause this process appends nothing."""
_SAVE_ATTEMPTS = 60
_RUN_LENGTH = 200
_MAX_UNDELIVERED = 4096


class LogRecovery:
    """Finds messages that a log lost, and appends them again.

    While a recovery runs this process appends nothing else, so that acknowledged messages get
    their seqs back; clients keep their new messages. If another process has appended to the
    shortened log, those seqs are in use: the lost messages are appended under a new epoch.
    Several processes may recover a log at once; each message is appended once.
    """

    def __init__(
        self,
        session_id: str,
        store: MergeStore,
        macs: LogMac,
        counters: Counters,
        patience_seconds: float,
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._macs = macs
        self._counters = counters
        self._patience_seconds = patience_seconds
        self._epoch = ""
        self._undelivered: dict[int, bytes] = {}
        self._proofs: dict[int, LostEntry] = {}
        self._recovery: Recovery | None = None
        self._offers: list[list[LostEntry]] = []
        self._offered = asyncio.Event()
        self._asked: set[tuple[int, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self._saving: set[asyncio.Task[None]] = set()
        self._stored: bytes | None = None
        self._found_other = False
        self._comparison = Comparison()
        self._idle_rounds = 0
        """How many recoveries in a row changed nothing, though the log was not whole after each."""
        self.known_seq = 0
        """The greatest seq that is known to have been in the log."""

    def follow(self, epoch: str, seq: int, last: Entry | None) -> None:
        """Begin to follow a log, whose last entry is `last` at `seq`."""
        self.stop()
        self._epoch, self.known_seq = epoch, seq
        self._stored = _stored_bytes(last) if last else None
        self._found_other = False
        self._idle_rounds = 0
        self._undelivered.clear()
        self._proofs.clear()

    def record_whole(self) -> None:
        """Record that nothing of the log is missing: the next recovery ends without a pause."""
        self._idle_rounds = 0

    def choose_digest(self) -> str:
        """Return the digest of the entry at `known_seq`; "" if no comparison is due."""
        if self._stored is None or not self._comparison.is_due():
            return ""
        return digest_stored(self._stored)

    def keep_appended(self, epoch: str, seq: int, envelope: bytes, stored: bytes | None) -> None:
        """Keep an acknowledged message until it is published: a failover may lose it."""
        if epoch != self._epoch or len(self._undelivered) >= _MAX_UNDELIVERED:
            return
        self._undelivered[seq] = envelope
        if seq >= self.known_seq:
            self.known_seq, self._stored = seq, envelope if stored is None else stored

    def mark_delivered(self, entry: Entry) -> bool:
        """Drop the kept message at the seq of a delivered entry; the history has it from now on.

        False if that is a different message: it stays, and the log is forked.
        """
        seq = entry.seq
        if seq >= self.known_seq:
            self.known_seq, self._stored = seq, _stored_bytes(entry)
        held = self._undelivered.pop(seq, None)
        if held is None or held == entry.payload or entry.fault is not None:
            return True
        self._undelivered[seq] = held
        self._found_other = True
        return False

    def verify(self, event: bytes) -> LostEntry | None:
        """Return the entry of a client's event; None if its MAC is not of this log."""
        try:
            return self._macs.verify(self._session_id, self._epoch, event)
        except ProtocolError:
            return None

    def add_proof(self, entry: LostEntry) -> None:
        """Record a client's genuine event as proof that the log had this entry."""
        self._proofs[entry.seq] = entry
        if entry.seq > self.known_seq:
            self.known_seq, self._stored = entry.seq, None

    async def has_other(self, entry: LostEntry) -> bool:
        """True if the log has a different entry at this seq; raises `StoreUnavailable`."""
        page = await self._store.read_chat(self._session_id, after=entry.seq - 1, limit=1)
        if not page or page[0].seq != entry.seq or find_envelope_fault(page[0]) is not None:
            return False
        return page[0].payload != entry.envelope

    def contradicts(self, entries: list[Entry]) -> bool:
        """True if one of these entries differs from a message acknowledged here at its seq.

        Also updates the stored bytes of the last known entry: another key changes them.
        """
        for entry in entries:
            held = self._undelivered.get(entry.seq)
            if held is not None and entry.fault is None and held != entry.payload:
                return True
            if entry.seq == self.known_seq:
                self._stored = _stored_bytes(entry)
        return self._found_other

    def _read_undelivered(self) -> dict[int, LostEntry]:
        return {seq: read_entry(seq, envelope) for seq, envelope in self._undelivered.items()}

    # While a recovery runs

    @property
    def active(self) -> bool:
        """True while a recovery runs."""
        return self._task is not None

    def make_recall(self, connection_id: int) -> Recall | None:
        """Return the request for a client's copy; None if it was asked the same before."""
        after = self._recall_after()
        if (connection_id, after) in self._asked:
            return None
        self._asked.add((connection_id, after))
        return Recall(self._epoch, after)

    def _recall_after(self) -> int:
        recovery = self._recovery
        assert recovery is not None
        if not recovery.is_forked:
            # Including the last entry, to compare: it may differ.
            return max(0, recovery.head_seq - 1)
        if recovery.agreed_seq is not None:
            return recovery.agreed_seq
        return max(0, min(recovery.known_seq, recovery.head_seq) - TAIL_EVENTS)

    def start(
        self,
        head_seq: int,
        own: dict[int, LostEntry],
        ask: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """Start a recovery; `ask` sends the recalls, `on_end` must re-read the log."""
        recovery = self._recovery = Recovery(head_seq, self.known_seq)
        log_event(
            "log_behind",
            level=logging.WARNING,
            session=self._session_id,
            head=head_seq,
            known=self.known_seq,
        )
        # A client's proof is a copy of one entry; which entry came before it is not known.
        proofs = ([entry] for entry in self._proofs.values())
        undelivered = self._read_undelivered()
        # So is an entry appended after another process had appended to the log.
        apart = ([undelivered.pop(seq)] for seq in own.keys() & undelivered.keys())
        copies = [*apart, list((own | undelivered).values()), *proofs]
        run = self._run(recovery, copies, ask, on_end)
        self._task = start_once("recover a chat log", run)

    def stop(self) -> None:
        """Cancel a running recovery, without a call of `on_end`."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._recovery = None
        self._offers.clear()
        self._asked.clear()

    def offer(self, epoch: str, events: Iterable[bytes]) -> None:
        """Add a client's copy; raises `ProtocolError` if an event is forged."""
        if self._recovery is None or epoch != self._epoch:
            return
        entries = [self._macs.verify(self._session_id, epoch, event) for event in events]
        self._offers.append(entries)
        self._offered.set()

    async def _run(
        self,
        recovery: Recovery,
        copies: list[list[LostEntry]],
        ask: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        try:
            await self._read_end(recovery, copies)
            if await self._refill(recovery, ask):
                self._counters.logs_recovered += 1
                log_event("log_whole", session=self._session_id, seq=recovery.head_seq)
            else:
                await self._merge(recovery)
            await self._pause()
        except StoreUnavailable as fault:
            # Redis fails again, or refuses writes: after a pause `on_end` re-reads the log.
            log_event("log_recovery_cut", session=self._session_id, error=fault)
            await asyncio.sleep(RETRY_SECONDS)
        except Exception as fault:
            log_fault("log_recovery_failed", fault, session=self._session_id)
            await asyncio.sleep(RETRY_SECONDS)
        self.clear()
        on_end()

    async def _pause(self) -> None:
        """Wait longer after each recovery in a row that changed nothing."""
        pause_seconds = PAUSE_SECONDS[min(self._idle_rounds, len(PAUSE_SECONDS) - 1)]
        self._idle_rounds += 1
        await asyncio.sleep(pause_seconds)

    def clear(self) -> None:
        """Clear the state without cancelling the task: the task itself calls this."""
        self._task = None
        self.stop()

    async def _read_end(self, recovery: Recovery, copies: list[list[LostEntry]]) -> None:
        """Read the end of the log, and compare the copies of this process with it."""
        first = min((entry.seq for copy in copies for entry in copy), default=recovery.head_seq)
        after = max(0, min(first, recovery.head_seq) - 1)
        log = await read_log(self._store, self._session_id, after=after)
        recovery.advance(max(log, default=0), log)
        for copy in copies:
            recovery.offer(copy)

    async def _refill(self, recovery: Recovery, ask: Callable[[], None]) -> bool:
        """Append offered entries until the log is whole; False on a timeout or a fork."""
        deadline = monotonic() + self._patience_seconds
        while not recovery.is_whole:
            self._offered.clear()
            await self._compare_offers(recovery)
            if recovery.is_covered:
                return False
            if run := recovery.next_run(_RUN_LENGTH):
                if not await self._put_back(recovery, run):
                    return False
                continue
            ask()
            try:
                async with asyncio.timeout(max(0.0, deadline - monotonic())):
                    await self._offered.wait()
            except TimeoutError:
                return False
        return True

    async def _compare_offers(self, recovery: Recovery) -> None:
        while self._offers:
            copy = self._offers.pop(0)
            first = min((entry.seq for entry in copy), default=recovery.read_from)
            if first < recovery.read_from:
                earlier = await read_log(
                    self._store, self._session_id, after=first - 1, before=recovery.read_from
                )
                recovery.extend_back(earlier)
            recovery.offer(copy)

    async def _put_back(self, recovery: Recovery, run: list[LostEntry]) -> bool:
        """Append a run at its own seqs; False if the log now has another epoch."""
        before = recovery.head_seq
        last = await self._store.read_chat(self._session_id, after=max(0, before - 1), limit=1)
        behind = last[0].digest if last and last[0].seq == before else ""
        head_seq = await self._store.refill_chat(self._session_id, self._epoch, run, behind=behind)
        if head_seq is None:
            return False  # another process has begun a new epoch
        if head_seq < before:
            # Another failover: what is known of the log here is out of date.
            raise StoreUnavailable("the log lost more of its end during the recovery")
        # Another process may have appended other entries first.
        log = await read_log(self._store, self._session_id, after=before)
        recovery.advance(max(log, default=head_seq), log)
        if not recovery.is_forked:
            self._counters.messages_put_back += max(0, head_seq - before)
        if head_seq > before:
            self._idle_rounds = 0
        return True

    async def _merge(self, recovery: Recovery) -> None:
        """Begin a new epoch, and append the entries whose own seqs are taken."""
        lost = recovery.list_missing()
        lacks = not (recovery.is_covered if recovery.is_forked else recovery.is_whole)
        merged = await merge_lost(self._store, self._session_id, self._epoch, lost, force=True)
        self._counters.messages_put_back += merged.count
        if merged.count or merged.began_epoch:
            self._idle_rounds = 0
        if merged.began_epoch:
            self._counters.logs_lost += lacks
            self._counters.logs_forked += recovery.is_forked
        log_event(
            "log_lost" if lacks else "log_forked",
            level=logging.ERROR if lacks else logging.WARNING,
            session=self._session_id,
            head=recovery.head_seq,
            known=recovery.known_seq,
            appended=merged.count,
        )

    # When this process stops following the log

    def save(self, own: dict[int, LostEntry], on_end: Callable[[], None]) -> None:
        """Append in the background what this process has and the present log lacks.

        Then call `on_end`, which must re-read the log: it may have been replaced by then.
        """
        copies = [*own.values(), *self._read_undelivered().values(), *self._proofs.values()]
        if self._recovery is not None:
            copies += self._recovery.list_missing()
        for offer in self._offers:
            copies += offer
        saving = self._save(self._epoch, copies)
        task = start_once("save a chat log", saving)
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        task.add_done_callback(lambda _: on_end())

    async def _save(self, epoch: str, copies: list[LostEntry]) -> None:
        for _ in range(_SAVE_ATTEMPTS):
            try:
                merged = await save_copies(self._store, self._session_id, epoch, copies)
            except SessionDeleted:
                return
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as fault:
                log_fault("log_not_saved", fault, session=self._session_id)
                return
            if merged.count:
                self._counters.messages_put_back += merged.count
                self._counters.logs_forked += merged.began_epoch
                log_event("log_merged", session=self._session_id, appended=merged.count)
            return


def _stored_bytes(entry: Entry) -> bytes:
    return entry.payload if entry.stored is None else entry.stored
