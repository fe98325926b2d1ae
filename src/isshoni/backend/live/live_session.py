"""A session as this process holds it: its logs followed, its connections served."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.live.audience import Audience
from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.earlier_copies import EarlierCopies
from isshoni.backend.live.event_maker import EventMaker
from isshoni.backend.live.live_canvas import LiveCanvas
from isshoni.backend.live.log_feed import LogFeed
from isshoni.backend.live.log_recovery import LogRecovery
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.rereads import Rereads
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import (
    Appended,
    Behind,
    Duplicate,
    Entry,
    Gap,
    Head,
    Published,
)
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import (
    HistoryPage,
    Position,
    RecalledEvents,
)
from isshoni.session.recovery import LostEntry

HISTORY_LIMIT = 200
"""Messages that a client without a position gets."""
REPLAY_LIMIT = 2000
"""Messages that a client can be behind and still get exactly those."""
_PAGE = 500
_SPARE_GENERATIONS = 64


@dataclass(frozen=True)
class History:
    """What a client gets to come to the present."""

    mode: Literal["replay", "full"]
    events: list[bytes]
    position: Position


class LiveSession:
    """One session with the connections that this process has in it.

    Nothing is read from Redis before somebody needs it; then the subscription comes
    first and the reading second, so that nothing falls between the two.
    """

    def __init__(self, session_id: str, context: BackendContext) -> None:
        store, counters, macs = context.store, context.counters, context.macs
        patience_seconds = context.settings.recovery_seconds
        self.session_id = session_id
        self.audience = Audience()
        self._store = store
        self._lock = asyncio.Lock()
        self._loaded = self._deleted = False
        self._epoch = ""
        self._events = EventMaker(session_id, macs, counters)
        self._recovery = LogRecovery(session_id, store, macs, counters, patience_seconds)
        self._earlier = EarlierCopies(
            session_id, store, macs, counters, patience_seconds, self.catch_up_soon
        )
        self._rereads = Rereads(session_id, self.catch_up)
        self._may_have_missed = False
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=HISTORY_LIMIT)
        self._chat = LogFeed(
            lambda after: store.read_chat(session_id, after=after, limit=_PAGE),
            self._deliver_chat,
            partial(self._reset, "chat log lost"),
            self.catch_up_soon,
            trail=HISTORY_LIMIT,
        )
        self._generations: dict[str, int] = {}
        self.canvas = LiveCanvas(session_id, store, counters, self.audience)

    # Loading and unloading

    async def ensure_loaded(self) -> None:
        """Follow the session's chat from its present; raises `StoreUnavailable`."""
        if self._loaded:
            return
        async with self._lock:
            if not self._loaded:
                await self._load()

    async def _load(self) -> None:
        self._deleted = self._may_have_missed = False
        self._chat.hold()
        await self._store.subscribe(self.session_id, self._hear)
        head = await self._store.open_session(self.session_id)
        recent = await self._store.read_recent_chat(self.session_id, limit=HISTORY_LIMIT)
        if self._deleted:
            raise SessionDeleted(self.session_id)  # while it was read
        self._epoch = head.epoch
        self._recent.clear()
        self._recent.extend((entry.seq, self._make_event(entry)) for entry in recent)
        last = recent[-1] if recent else None
        self._recovery.follow(self._epoch, last.seq if last else head.chat_seq, last)
        self._chat.start(last.seq if last else head.chat_seq, last)
        self._loaded = True
        if self._may_have_missed:
            self.catch_up_soon()

    async def ensure_canvas(self) -> Canvas:
        """Follow the session's canvas too; raises `StoreUnavailable`."""
        await self.ensure_loaded()
        return await self.canvas.ensure()

    async def unload(self) -> None:
        """Follow nothing more, unless somebody came meanwhile."""
        async with self._lock:
            if self.audience:
                return
            if self._recovery.active:
                self._recovery.save(self._own_entries(), self.catch_up_soon)
            self._forget()
            try:
                await self._store.unsubscribe(self.session_id)
            except StoreUnavailable:
                # Not subscribed any more either: the link resubscribes by what we told it.
                return

    def _forget(self) -> None:
        self._loaded = False
        self._rereads.stop()
        self._generations.clear()
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
        # Before the log is asked: what is written meanwhile is not in the answer.
        known_seq, known_canvas_seq = self._recovery.known_seq, self.canvas.known_seq
        head = await self._store.open_session(self.session_id, epoch=self._epoch)
        if head.epoch != self._epoch:
            await self.canvas.save()  # this may be the only copy
            self._reset("another log")
            return
        await self._follow_chat(head, known_seq)
        await self.canvas.catch_up(head.canvas_seq, known_canvas_seq)

    async def _follow_chat(self, head: Head, known_seq: int) -> None:
        if self._recovery.active:
            return
        after = self._chat.trail_start - 1
        end = await self._store.read_chat(self.session_id, after=after, limit=2 * HISTORY_LIMIT)
        lacks = head.chat_seq < known_seq
        if lacks or self._chat.contradicts(end) or self._recovery.contradicts(end):
            self._start_recovery(head.chat_seq)
        else:
            self._chat.reread()

    def _start_recovery(self, head_seq: int) -> None:
        if self._loaded and not self._recovery.active:
            self._earlier.forget()  # what it took may have been lost again
            own, ask = self._own_entries(), self._recall_all
            self._recovery.start(head_seq, own, ask, self.catch_up_soon)

    def _own_entries(self) -> dict[int, LostEntry]:
        """Return the recent entries of this process whose MAC is valid, by seq."""
        entries = (self._recovery.verify(event) for _, event in self._recent)
        return {entry.seq: entry for entry in entries if entry is not None}

    def _reset(self, reason: str) -> None:
        """Send everybody back to the start: what we hold is not what Redis holds."""
        if not self._loaded:
            return
        log_event("session_reset", level=logging.WARNING, session=self.session_id, reason=reason)
        self._recovery.save(self._own_entries(), self.catch_up_soon)
        self._forget()
        self.audience.close(CloseCode.RESUME)

    def _end(self) -> None:
        """Send everybody away for good: the session was deleted."""
        self._deleted = True
        self._forget()
        self.audience.close(CloseCode.DELETED)

    def note_generation(self, client_id: str, generation: int) -> None:
        """Remember the newest connection of a client."""
        self._generations[client_id] = max(generation, self.newest_generation(client_id))
        if len(self._generations) > _SPARE_GENERATIONS + 2 * len(self.audience):
            # A client without an open connection can send nothing more from an old one.
            here = self.audience.authors()
            self._generations = {c: g for c, g in self._generations.items() if c in here}

    def is_superseded(self, connection: Connection) -> bool:
        """True if the client has a newer connection here."""
        return self.newest_generation(connection.client.author) > connection.client.generation

    def newest_generation(self, client_id: str) -> int:
        """Return the generation of a client's newest connection; 0 if it has none."""
        return self._generations.get(client_id, 0)

    # Writing

    async def append_chat(
        self, client_id: str, n: int, envelope: bytes, acknowledged: int = 0
    ) -> Appended | Duplicate | Gap | Behind:
        """Append a message, unless the log lacks what this process knows was in it."""
        if self._recovery.active:
            return Behind()
        epoch = self._epoch
        known = Position(epoch, self._recovery.known_seq)
        digest = self._recovery.choose_digest()
        result = await self._store.append_chat(
            self.session_id,
            client_id,
            n,
            envelope,
            known=known,
            known_digest=digest,
            acknowledged=acknowledged,
        )
        if isinstance(result, Appended):
            self._recovery.note_appended(epoch, result.seq, envelope, result.stored)
        elif isinstance(result, Behind):
            self.catch_up_soon()
        return result

    async def append_canvas(self, update: bytes) -> None:
        """Append an update; raises `StoreUnavailable`, also while the log lacks its end."""
        known, digest = Position(self._epoch, self.canvas.position), self.canvas.choose_digest()
        result = await self._store.append_canvas(
            self.session_id, update, known=known, known_digest=digest
        )
        if isinstance(result, Behind):
            self.catch_up_soon()
            raise StoreUnavailable("the canvas lacks what this process knows was saved")
        self.canvas.note_appended(result, update)

    # A log that lost its end

    def recall(self, connection: Connection) -> None:
        """Ask a client for what the log lacks, if one can give it."""
        if self._recovery.active and connection.client.can_replica:
            recall = self._recovery.make_recall(id(connection))
            if recall is not None:
                connection.tell(recall)

    def _recall_all(self) -> None:
        for connection in self.audience.connections():
            self.recall(connection)

    def take_recalled(self, connection: Connection, message: RecalledEvents) -> None:
        """Handle the events of a client's copy of a log; raises `ProtocolError` if forged."""
        events = [bytes(event) for event in message.events]
        if message.epoch == self._epoch:
            self._recovery.offer(message.epoch, events)
        else:
            self._earlier.take(connection, message.epoch, events)

    async def needs_copy(
        self, connection: Connection, position: Position | None, held: bytes
    ) -> bool:
        """True while a restore must wait for copies of the log, from this or other clients.

        `held`, the client's event at `position`, may prove that Redis lost part of the log.
        """
        if position is not None and position.epoch == self._epoch:
            await self._take_proof(position, held)
        elif position is not None and connection.client.can_replica and not self._recovery.active:
            return await self._earlier.must_wait(connection, position, held)
        self.recall(connection)
        return self._recovery.active

    async def _take_proof(self, position: Position, held: bytes) -> None:
        """Start recovering the log if a client's event proves that it was longer, or differed.

        Raises `StoreUnavailable` when the log cannot be read; a re-read is then scheduled.
        """
        if self._recovery.active:
            return
        if self._recent and self._recent[-1] == (position.seq, held):
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

    # Restoring

    async def history_since(self, position: Position | None, chat_seq: int) -> History:
        """Return the events from `position` to the present, which is `chat_seq` or later.

        The caller must use it before anything else runs: it is the present only now.
        """
        if position is not None and position.epoch != self._epoch:
            position = None
        if max(chat_seq, position.seq if position else 0) > self._chat.position:
            # Another process wrote, or delivered, what has not come here yet.
            await self._chat.catch_up()
        if position is None:
            return self._full_history()
        events = await self._events_after(position.seq)
        if events is None:
            return self._full_history()
        return History("replay", events, self._position())

    async def page_before(self, seq: int, limit: int) -> HistoryPage:
        """Give the last `limit` events before `seq`, and whether there are older ones."""
        page = await self._store.read_chat_before(self.session_id, before=seq, limit=limit + 1)
        events = [self._make_event(entry) for entry in page[-limit:]]
        return HistoryPage([msgspec.Raw(event) for event in events], more=len(page) > limit)

    async def _events_after(self, seq: int) -> list[bytes] | None:
        """Give the events from `seq` to the present; None when that cannot be."""
        older: list[bytes] = []
        while not self._recent_reaches(seq):
            if seq > self._chat.position or len(older) >= REPLAY_LIMIT:
                return None
            page = await self._store.read_chat(self.session_id, after=seq, limit=_PAGE)
            if not page or page[0].seq != seq + 1:
                return None
            older += [self._make_event(entry) for entry in page]
            seq = page[-1].seq
        if seq > self._chat.position:
            # The log was ahead of its publications; take what came from it no further.
            return None if not older else older[: len(older) - (seq - self._chat.position)]
        return older + [frame for at, frame in self._recent if at > seq]

    def _recent_reaches(self, seq: int) -> bool:
        if seq == self._chat.position:
            return True
        return bool(self._recent) and self._recent[0][0] <= seq + 1 <= self._recent[-1][0] + 1

    def _full_history(self) -> History:
        return History("full", [frame for _, frame in self._recent], self._position())

    def _position(self) -> Position:
        return Position(self._epoch, self._chat.position)

    # What is published

    def _hear(self, published: Published) -> None:
        entry = Entry(published.seq, published.payload, published.fault, published.stored)
        if published.kind == "chat":
            self._chat.hear(entry)
        elif published.kind == "canvas":
            self.canvas.hear(entry)
        elif published.kind == "deleted":
            self._end()
        elif published.kind == "unread":
            self.catch_up_soon()
        elif published.fault is None:
            self.canvas.deliver_awareness(published.payload)

    def _make_event(self, entry: Entry) -> bytes:
        return self._events.make(self._epoch, entry)

    def _deliver_chat(self, entry: Entry) -> None:
        frame = self._make_event(entry)
        if not self._recovery.note_heard(entry):
            self.catch_up_soon()
        self._recent.append((entry.seq, frame))
        self.audience.send_chat(Outgoing.text(frame))
