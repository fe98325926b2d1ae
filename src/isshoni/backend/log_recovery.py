"""A live session's chat log after a failover: whole again, or of a new epoch, in seconds."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic

from isshoni.backend.counters import Counters
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.ports import SessionStore
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Position, Recall
from isshoni.session.recovery import LogMac, LostEntry, Recovery, read_entry

RETRY_SECONDS = 0.5
_RUN = 200
_MAX_UNHEARD = 4096


class LogRecovery:
    """What this process knows of a log beyond Redis's word, and the way to put it back.

    While it is under way nothing is appended: what was acknowledged keeps its place, and
    clients keep what is new. Several processes may be at it at once; each message goes to
    its own seq, once.
    """

    def __init__(
        self,
        session_id: str,
        store: SessionStore,
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
        self._unheard: dict[int, bytes] = {}
        self._recovery: Recovery | None = None
        self._offered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.known_seq = 0
        """The greatest seq that is known to have been in the log."""

    def follow(self, epoch: str, seq: int) -> None:
        """Begin with a log as Redis has it."""
        self.stop()
        self._epoch, self.known_seq = epoch, seq
        self._unheard.clear()

    def note_appended(self, epoch: str, seq: int, envelope: bytes) -> None:
        """Keep a message that is acknowledged until it is heard: it may be lost before."""
        if epoch != self._epoch or len(self._unheard) >= _MAX_UNHEARD:
            return
        self._unheard[seq] = envelope
        self.known_seq = max(self.known_seq, seq)

    def note_heard(self, seq: int) -> None:
        """Forget a message that the session's recent events hold from now on."""
        self._unheard.pop(seq, None)
        self.known_seq = max(self.known_seq, seq)

    def take_proof(self, position: Position | None, held: bytes) -> bool:
        """Learn from a client how far the log went; its word alone counts for nothing."""
        if position is None or position.epoch != self._epoch or position.seq <= self.known_seq:
            return False
        try:
            entry = self._macs.verify(self._session_id, self._epoch, held)
        except ProtocolError:
            return False
        if entry.seq <= self.known_seq:
            return False
        self.known_seq = entry.seq
        self._unheard[entry.seq] = entry.envelope
        return True

    # While it is under way

    @property
    def active(self) -> bool:
        """Say whether the log is being made whole."""
        return self._task is not None

    def make_recall(self) -> Recall:
        """Ask what a client holds beyond the end of the log."""
        assert self._recovery is not None
        return Recall(self._epoch, self._recovery.head_seq)

    def start(self, head_seq: int, own_events: Iterable[bytes], on_end: Callable[[], None]) -> None:
        """Begin; after `on_end` the log says how it is, and of which epoch."""
        recovery = self._recovery = Recovery(head_seq, self.known_seq)
        log_event(
            "log_behind",
            level=logging.WARNING,
            session=self._session_id,
            head=head_seq,
            known=self.known_seq,
        )
        recovery.offer(read_entry(seq, envelope) for seq, envelope in self._unheard.items())
        self._offer_own(own_events)
        self._task = asyncio.get_running_loop().create_task(self._run(recovery, on_end))

    def stop(self) -> None:
        """Give it up; nothing is told."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._recovery = None

    def offer(self, epoch: str, events: Iterable[bytes]) -> None:
        """Take what a client hands back; raises `ProtocolError` at the first forged one."""
        if self._recovery is None or epoch != self._epoch:
            return
        entries = [self._macs.verify(self._session_id, epoch, event) for event in events]
        self._recovery.offer(entries)
        self._offered.set()

    def _offer_own(self, own_events: Iterable[bytes]) -> None:
        for event in own_events:
            try:
                self.offer(self._epoch, [event])
            except ProtocolError:
                continue  # one that could not be read has no MAC, and nothing to put back

    async def _run(self, recovery: Recovery, on_end: Callable[[], None]) -> None:
        try:
            if await self._refill(recovery):
                self._counters.logs_recovered += 1
                log_event("log_whole", session=self._session_id, seq=recovery.head_seq)
            else:
                await self._give_up(recovery)
        except StoreUnavailable as fault:
            # Away again, or it takes nothing: the log is looked at anew, and not at once.
            log_event("log_recovery_cut", session=self._session_id, error=fault)
            await asyncio.sleep(RETRY_SECONDS)
        except Exception as fault:
            log_fault("log_recovery_failed", fault, session=self._session_id)
            await asyncio.sleep(RETRY_SECONDS)
        self._task = self._recovery = None
        on_end()

    async def _refill(self, recovery: Recovery) -> bool:
        """Put back what is offered; False when time is up, or the log is another one."""
        deadline = monotonic() + self._patience_seconds
        while not recovery.is_whole:
            self._offered.clear()
            if run := recovery.next_run(_RUN):
                if not await self._put_back(recovery, run):
                    return False
                continue
            try:
                async with asyncio.timeout(max(0.0, deadline - monotonic())):
                    await self._offered.wait()
            except TimeoutError:
                return False
        return True

    async def _put_back(self, recovery: Recovery, run: list[LostEntry]) -> bool:
        head_seq = await self._store.refill_chat(self._session_id, self._epoch, run)
        if head_seq is None:
            return False  # another process has given it up
        self._counters.messages_put_back += max(0, head_seq - recovery.head_seq)
        recovery.advance(head_seq)
        return True

    async def _give_up(self, recovery: Recovery) -> None:
        log_event(
            "log_lost",
            level=logging.ERROR,
            session=self._session_id,
            head=recovery.head_seq,
            known=recovery.known_seq,
        )
        if await self._store.begin_epoch(self._session_id, self._epoch):
            self._counters.logs_lost += 1
