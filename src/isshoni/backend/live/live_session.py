"""Follow the logs of one session in this process, and serve its connections."""

import asyncio
import logging
from functools import partial

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import SessionDeleted, SessionsFull, StoreUnavailable
from isshoni.backend.live.audience import Audience
from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.canvas_batches import CanvasBatches
from isshoni.backend.live.chat_appends import ChatAppends
from isshoni.backend.live.chat_history import HISTORY_LIMIT, PAGE, ChatHistory
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.earlier_copies import EarlierCopies
from isshoni.backend.live.element_view import ElementView
from isshoni.backend.live.event_maker import EventMaker
from isshoni.backend.live.live_canvas import LiveCanvas
from isshoni.backend.live.log_feed import LogFeed
from isshoni.backend.live.log_merge import mend_counter
from isshoni.backend.live.log_recovery import LogRecovery
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.rereads import Rereads
from isshoni.backend.live.use_recorder import UseRecorder
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import (
    Behind,
    Entry,
    Head,
    Published,
)
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import (
    Position,
    RecalledEvents,
)
from isshoni.session.recovery import LostEntry


class LiveSession:
    """One session with the connections that this process has in it.

    Nothing is read from Redis before a client needs it. Then this process subscribes first and
    reads second, so that it misses no entry between the two.
    """

    def __init__(self, session_id: str, context: BackendContext) -> None:
        store, counters, macs = context.store, context.counters, context.macs
        patience_seconds = context.settings.recovery_seconds
        self.session_id = session_id
        self.audience = Audience()
        self._store = store
        self._lock = asyncio.Lock()
        self._loaded = self._deleted = False
        self._recovery = LogRecovery(session_id, store, macs, counters, patience_seconds)
        self._earlier = EarlierCopies(
            session_id, store, macs, counters, patience_seconds, self.catch_up_soon
        )
        expires = context.settings.session_expiry_days > 0
        self._use = UseRecorder(session_id, store, enabled=expires)
        self._counters = counters
        self._rereads = Rereads(session_id, self.catch_up)
        self._may_have_missed = False
        self._chat = LogFeed(
            lambda after: store.read_chat(session_id, after=after, limit=PAGE),
            self._deliver_chat,
            partial(self._reset, "chat log lost"),
            self.catch_up_soon,
            trail=HISTORY_LIMIT,
        )
        events = EventMaker(session_id, macs, counters)
        self.history = ChatHistory(session_id, store, self._chat, events)
        self.chat_appends = ChatAppends(
            session_id, store, self.history, self._recovery, self.catch_up_soon
        )
        self.canvas = LiveCanvas(session_id, store, counters, self.audience)
        self.canvas_batches = CanvasBatches(self.append_canvas)

    @property
    def _epoch(self) -> str:
        return self.history.epoch

    # Loading and unloading

    async def ensure_loaded(self) -> None:
        """Load the chat and follow its log, unless it is loaded; raises `StoreUnavailable`."""
        if self._loaded:
            return
        async with self._lock:
            if not self._loaded:
                await self._load()

    @property
    def is_loading(self) -> bool:
        """True while the chat is being loaded for some client."""
        return self._lock.locked() and not self._loaded

    async def wait_for_load(self) -> None:
        """Wait until a load that is running has ended, whatever its outcome."""
        async with self._lock:
            pass

    async def _load(self) -> None:
        self._deleted = self._may_have_missed = False
        self._chat.hold()
        await self._store.subscribe(self.session_id, self._receive)
        head = await self._open()
        recent = await self._store.read_recent_chat(self.session_id, limit=HISTORY_LIMIT)
        if self._deleted:
            raise SessionDeleted(self.session_id)  # while it was read
        self.history.begin(head.epoch, recent)
        last = recent[-1] if recent else None
        self._recovery.follow(self._epoch, last.seq if last else head.chat_seq, last)
        self._chat.start(last.seq if last else head.chat_seq, last)
        self._loaded = True
        self._use.start()
        if self._may_have_missed:
            self.catch_up_soon()

    async def _open(self) -> Head:
        try:
            return await self._store.open_session(self.session_id)
        except SessionsFull as fault:
            self._counters.refused_sessions += 1
            log_event(
                "refused", session=self.session_id, code=int(CloseCode.SESSIONS_FULL), reason=fault
            )
            self.audience.close(CloseCode.SESSIONS_FULL)
            raise

    @property
    def canvas_at_hand(self) -> Canvas | None:
        """The canvas that `ensure_canvas` returns, if that need not wait; else None."""
        return self.canvas.at_hand if self._loaded else None

    async def ensure_canvas(self) -> Canvas:
        """Load and follow the canvas too, and return it; raises `StoreUnavailable`."""
        await self.ensure_loaded()
        return await self.canvas.ensure()

    async def ensure_view(self) -> ElementView:
        """Return the elements of the canvas as JSON; raises `StoreUnavailable`."""
        await self.ensure_loaded()
        return await self.canvas.ensure_view()

    async def unload(self) -> None:
        """Stop following the logs, unless the session has a connection again."""
        async with self._lock:
            if self.audience:
                return
            if self._recovery.active:
                self._recovery.save(self._own_entries(), self.catch_up_soon)
            if self._loaded:
                self._use.start()
            self._forget()
            try:
                await self._store.unsubscribe(self.session_id)
            except StoreUnavailable:
                # Also unsubscribe: the link resubscribes to every session that it was asked for.
                return

    def _forget(self) -> None:
        self._loaded = False
        self._rereads.stop()
        self.audience.forget_generations()
        self._recovery.stop()
        self._earlier.forget()
        self._chat.stop()
        self.canvas.stop()

    def catch_up_soon(self) -> None:
        """Re-read soon, and again until it succeeds: Redis may be up and still refuse."""
        self._rereads.start()

    async def catch_up(self) -> None:
        """Re-read after publications may have been missed; reset if the log was replaced.

        Raises `StoreUnavailable`.
        """
        if not self._loaded:
            self._may_have_missed = True  # the load that is running may be older
            return
        # Kept from before the log is read: the answer lacks entries written while it is read.
        known_seq, known_canvas_seq = self._recovery.known_seq, self.canvas.known_seq
        head = await self._store.open_session(self.session_id, epoch=self._epoch)
        if head.epoch != self._epoch:
            await self.canvas.save()  # this process may have the only copy of some updates
            self._reset("another log")
            return
        await self._follow_chat(head, known_seq)
        await self.canvas.catch_up(head.canvas_seq, known_canvas_seq)

    async def _follow_chat(self, head: Head, known_seq: int) -> None:
        if self._recovery.active:
            return
        after = self._chat.trail_start - 1
        end = await self._store.read_chat(self.session_id, after=after, limit=2 * HISTORY_LIMIT)
        head_seq = head.chat_seq
        if end and end[-1].seq > head_seq:
            head_seq = await mend_counter(self._store, self.session_id, head)
        lacks = head_seq < known_seq
        if lacks or self._chat.contradicts(end) or self._recovery.contradicts(end):
            self._start_recovery(head_seq)
        else:
            self._recovery.record_whole()
            self._chat.reread()

    def _start_recovery(self, head_seq: int) -> None:
        if self._loaded and not self._recovery.active:
            self._earlier.forget()  # the copies that it saved may be lost again
            own, ask = self._own_entries(), self._recall_all
            self._recovery.start(head_seq, own, ask, self.catch_up_soon)

    def _own_entries(self) -> dict[int, LostEntry]:
        """Return the recent entries of this process whose MAC is valid, by seq."""
        entries = (self._recovery.verify(event) for event in self.history.recent_events())
        return {entry.seq: entry for entry in entries if entry is not None}

    def _reset(self, reason: str) -> None:
        """Close every connection so that it restores again: Redis has another log."""
        if not self._loaded:
            return
        log_event("session_reset", level=logging.WARNING, session=self.session_id, reason=reason)
        self._recovery.save(self._own_entries(), self.catch_up_soon)
        self._forget()
        self.audience.close(CloseCode.RESUME)

    def _end(self) -> None:
        """Close every connection for good: the session was deleted."""
        self._deleted = True
        self._forget()
        self.audience.close(CloseCode.DELETED)

    # Writing

    async def append_canvas(self, update: bytes) -> None:
        """Append an update; raises `StoreUnavailable`, also while the log lacks its end."""
        known, digest = Position(self._epoch, self.canvas.position), self.canvas.choose_digest()
        result = await self._store.append_canvas(
            self.session_id, update, known=known, known_digest=digest
        )
        if isinstance(result, Behind):
            self.catch_up_soon()
            raise StoreUnavailable(
                "the canvas log lacks updates that this process knows were saved"
            )
        self.canvas.keep_appended(result, update)

    # Recovering a log that lost its end

    def recall(self, connection: Connection) -> None:
        """Ask a client for entries that the log lacks, if a recovery runs and it can send them."""
        if self._recovery.active and connection.client.can_replica:
            recall = self._recovery.make_recall(id(connection))
            if recall is not None:
                connection.send_message(recall)

    def _recall_all(self) -> None:
        for connection in self.audience.connections():
            self.recall(connection)

    def receive_recalled(self, connection: Connection, message: RecalledEvents) -> None:
        """Handle the events of a client's copy of a log; raises `ProtocolError` if forged."""
        events = [bytes(event) for event in message.events]
        if message.epoch == self._epoch:
            self._recovery.offer(message.epoch, events)
        else:
            self._earlier.receive(connection, message.epoch, events)

    async def needs_copy(
        self, connection: Connection, position: Position | None, held: bytes
    ) -> bool:
        """True while a restore must wait for copies of the log, from this or other clients.

        `held`, the client's event at `position`, may prove that Redis lost part of the log.
        """
        if position is not None and position.epoch == self._epoch:
            await self._check_proof(position, held)
        elif position is not None and connection.client.can_replica and not self._recovery.active:
            return await self._earlier.must_wait(connection, position, held)
        self.recall(connection)
        return self._recovery.active

    async def _check_proof(self, position: Position, held: bytes) -> None:
        """Start recovering the log if a client's event proves that it was longer, or differed.

        Raises `StoreUnavailable` when the log cannot be read; a re-read is then scheduled.
        """
        if self._recovery.active:
            return
        if self.history.ends_with(position.seq, held):
            return
        entry = self._recovery.verify(held)
        if entry is None or entry.seq != position.seq:
            return
        # Not only beyond what is known: the same proof of another client, whose re-read is not
        # done yet, makes it known. Both must wait for the recovery.
        if entry.seq > min(self._recovery.known_seq, self._chat.position):
            self._recovery.add_proof(entry)
            try:
                await self.catch_up()
            except StoreUnavailable:
                self.catch_up_soon()  # the same proof would be ignored a second time
                raise
        elif await self._recovery.has_other(entry):
            self._recovery.add_proof(entry)
            head = await self._store.open_session(self.session_id, epoch=self._epoch)
            if head.epoch == self._epoch:
                self._start_recovery(head.chat_seq)
            else:
                self.catch_up_soon()  # the store takes it that this session knows by now

    # Publications

    def _receive(self, published: Published) -> None:
        entry = Entry(published.seq, published.payload, published.fault, published.stored)
        if published.kind == "chat":
            self._chat.receive(entry)
        elif published.kind == "canvas":
            self.canvas.receive(entry)
        elif published.kind == "deleted":
            self._end()
        elif published.kind == "unread":
            self.catch_up_soon()
        elif published.fault is None:
            self.canvas.deliver_awareness(published.payload)

    def _deliver_chat(self, entry: Entry) -> None:
        event = self.history.add(entry)
        if not self._recovery.mark_delivered(entry):
            self.catch_up_soon()
        self.audience.send_chat(Outgoing.text(event))
