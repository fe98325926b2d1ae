"""A session's canvas as this process holds it: its log followed, its viewers served."""

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.audience import Audience
from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.comparison import Comparison
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.log_feed import MAX_HELD, LogFeed
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.store.ports import CanvasStore, Entry, SessionBus
from isshoni.backend.tasks import start_lasting, start_once
from isshoni.session.messages import CanvasChanged, encode
from isshoni.session.server.holes import HoleWatch
from isshoni.session.server.presence import FORGET_SECONDS, Presence
from isshoni.session.server.yjs_update import EMPTY_STATE, parse_awareness
from isshoni.session.sync import make_awareness, make_step1, make_update
from isshoni.session.yjs_walk import BrokenUpdate

RETRY_SECONDS = 0.5
"""Before a document that could not be read anew is tried again."""
HOLE_SECONDS = 1.0
"""What a predecessor may be late: tabs of one browser tell each other past the server."""
HEAL_SECONDS = 0.2
"""Seconds before a document with cut characters is loaded again: more may follow."""
LEFT_AFTER_SECONDS = 5.0
"""Until somebody whose connection is gone, and who is not heard again, is told to have left."""


class LiveCanvasStore(CanvasStore, SessionBus, Protocol):
    """The ports that a live canvas needs: its log, and the awareness of its viewers."""


class LiveCanvas:
    """The canvas of one live session, once somebody needs it."""

    def __init__(
        self,
        session_id: str,
        store: LiveCanvasStore,
        counters: Counters,
        audience: Audience,
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._counters = counters
        self._audience = audience
        self.presence = Presence()
        self._holes = HoleWatch()
        self._hole_timer: asyncio.TimerHandle | None = None
        self._healing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._comparison = Comparison()
        self._canvas: Canvas | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._unheard: dict[int, bytes] = {}
        """Updates that are saved, and not in the document yet: they may be lost before."""
        self._feed = LogFeed(
            lambda after: store.read_canvas(session_id, after=after),
            self._deliver,
            partial(self._reload, log_lost=True),
        )

    async def ensure(self) -> Canvas:
        """Follow the log from its present; raises `StoreUnavailable`."""
        async with self._lock:
            canvas = self._canvas
            if canvas is None:
                canvas = self._make_canvas()
                self._feed.hold()
                position, last = await canvas.load()
                self._canvas = canvas
                self._feed.start(position, last)
        return canvas

    async def ensure_faithful(self) -> Canvas:
        """Follow the log; load the document again if cut characters made it unreliable.

        Raises `StoreUnavailable`.
        """
        canvas = await self.ensure()
        if canvas.document.is_hurt:
            async with self._lock:
                if self._canvas is canvas and canvas.document.is_hurt:
                    await self._load_again(canvas)
        return canvas

    async def _load_again(self, canvas: Canvas) -> None:
        """Load the document again, and send viewers what was published during the load."""
        known, known_entry = self._feed.position, self._feed.last
        state = canvas.document.yjs.get_state()
        self._feed.stop()
        self._feed.hold()
        try:
            position, last = await canvas.load()
        except BaseException:
            self._feed.start(known, known_entry)
            raise
        self._feed.start(position, last)
        if position != known:
            self._broadcast(make_update(canvas.document.missing_from(state)))
            self._broadcast_elements(set(canvas.document.elements()))

    def _heal_soon(self) -> None:
        if self._healing is None or self._healing.done():
            self._healing = start_once("load a cut canvas again", self._heal())

    async def _heal(self) -> None:
        await asyncio.sleep(HEAL_SECONDS)
        # If the store cannot be read now, the next restore or the next cut tries again.
        with contextlib.suppress(StoreUnavailable):
            if self._canvas is not None:
                await self.ensure_faithful()

    def _make_canvas(self) -> Canvas:
        return Canvas(self._session_id, self._store, self._count_poison, self._count_cut_character)

    def stop(self) -> None:
        """Follow nothing more."""
        self._feed.stop()
        self._canvas = None
        self._unheard.clear()
        if self._hole_timer is not None:
            self._hole_timer.cancel()
            self._hole_timer = None
        if self._healing is not None:
            self._healing.cancel()
            self._healing = None

    @property
    def position(self) -> int:
        """Up to which seq the log was followed."""
        return self._feed.position

    @property
    def known_seq(self) -> int:
        """The greatest seq that is known to have been in the log."""
        return max(self._feed.position, *self._unheard, 0)

    def note_appended(self, seq: int, update: bytes) -> None:
        """Keep an update that is saved until it is heard."""
        if seq > self._feed.position and len(self._unheard) < MAX_HELD:
            self._unheard[seq] = update

    def choose_digest(self) -> str:
        """Return the digest of the entry at `position`; "" if no comparison is due."""
        last = self._feed.last
        return last.digest if last is not None and self._comparison.is_due() else ""

    async def save(self) -> None:
        """Append what this document has and the log lacks; raises `StoreUnavailable`."""
        if self._canvas is not None:
            await self._put_back(self._canvas, self.known_seq)

    async def _put_back(self, canvas: Canvas, known: int) -> None:
        for seq, update in list(self._unheard.items()):
            # Again, where it is not lost after all: Yjs takes it once.
            await self._store.append_canvas(self._session_id, update, beyond=known)
            self._unheard.pop(seq, None)
        await canvas.put_back(known)

    async def _is_other_log(self) -> bool:
        """True if the log now has other entries at the last seqs that were followed.

        If those were compacted away, the document is compared with the log, and what the log
        lacks is appended.
        """
        if self._feed.position == 0:
            return False
        after = self._feed.trail_start - 1
        entries = await self._store.read_canvas(self._session_id, after=after)
        if not self._feed.shares(entries):
            await self.save()
        return self._feed.contradicts(entries)

    def hear(self, entry: Entry) -> None:
        """Take an update that was published."""
        self._feed.hear(entry)

    async def catch_up(self, head_seq: int, known_seq: int) -> None:
        """Re-read up to where the log ends, after publications may have been missed.

        `known_seq` is that of before the log was asked for its end.
        """
        if self._canvas is None:
            return
        if known_seq > head_seq or await self._is_other_log():
            self._reload(log_lost=True)
            return
        await self._feed.catch_up()
        if self._feed.position < head_seq:
            # What is missing was compacted away while we were not listening.
            self._reload(log_lost=False)

    def _reload(self, *, log_lost: bool) -> None:
        if self._reloading is None:
            rebuild = partial(self._rebuild, log_lost=log_lost)
            self._reloading = start_lasting("rebuild a canvas", rebuild)

    async def _rebuild(self, *, log_lost: bool) -> None:
        """Read the document anew, and give everybody all of it: Yjs keeps what is new.

        Where the log lost its end, what we hold of it is put back first, and everybody is
        asked for what they hold.
        """
        async with self._lock:
            self._reloading = None
            if self._canvas is None:
                return
            known, known_entry = self._feed.position, self._feed.last
            self._feed.stop()
            self._feed.hold()
            try:
                if log_lost:
                    await self._put_back(self._canvas, max(known, self.known_seq))
                position, last = await self._canvas.load()
            except Exception as fault:
                # What we hold may be held nowhere else: it is kept, and this tried again.
                if not isinstance(fault, StoreUnavailable):
                    log_fault("canvas_not_read", fault, session=self._session_id)
                self._feed.start(known, known_entry)
                again = partial(self._reload, log_lost=log_lost)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, again)
                return
            self._feed.start(position, last)
            self._unheard = {at: update for at, update in self._unheard.items() if at > position}
            document = self._canvas.document
            self._broadcast(make_update(document.missing_from(EMPTY_STATE)))
            self._broadcast_elements(set(document.elements()))
            if log_lost:
                self._broadcast(make_step1(document.yjs))

    def _deliver(self, entry: Entry) -> None:
        assert self._canvas is not None
        if self._unheard.get(entry.seq, entry.payload) == entry.payload or entry.fault is not None:
            self._unheard.pop(entry.seq, None)
        else:  # another one is where ours was saved: the log lost it
            self._reload(log_lost=True)
        try:
            changed = self._canvas.apply(entry)
        except BrokenUpdate:
            self._reload(log_lost=False)
            return
        if entry.fault is None:
            self._broadcast(make_update(entry.payload))
            self._broadcast_elements(changed)
            self._canvas.compact_if_long()
            self._watch_for_holes(entry.payload)
            if self._canvas.document.is_hurt:
                self._heal_soon()

    def _watch_for_holes(self, update: bytes) -> None:
        self._holes.note(update)
        if self._hole_timer is None:
            loop = asyncio.get_running_loop()
            self._hole_timer = loop.call_later(HOLE_SECONDS, self._ask_for_what_is_missing)

    def _ask_for_what_is_missing(self) -> None:
        self._hole_timer = None
        if self._canvas is None:
            return
        document = self._canvas.document
        if document.is_hurt:  # its clocks may be wrong: load it again, then look for holes
            self._heal_soon()
            self._hole_timer = asyncio.get_running_loop().call_later(
                HOLE_SECONDS, self._ask_for_what_is_missing
            )
            return
        holes = self._holes.find_holes(document.yjs.get_state())
        if holes:
            self._counters.canvas_holes += len(holes)
            session = self._session_id
            log_event("canvas_hole", level=logging.ERROR, session=session, missing=holes)
            self._broadcast(make_step1(document.yjs))

    # Who is here

    def deliver_awareness(self, payload: bytes) -> None:
        """Tell every viewer who points where."""
        try:
            self.presence.hear(parse_awareness(payload), time.monotonic())
        except BrokenUpdate as fault:
            log_event("awareness_unreadable", session=self._session_id, reason=fault)
            return
        self._broadcast(make_awareness(payload))

    def leave(self, connection: Connection) -> None:
        """Tell, a little later, who has left with a connection that is gone.

        Whoever moved or comes back is heard again before; who said goodbye is not waited for.
        """
        if self.presence.owned_by(connection):
            say_so = self._tell_who_left(connection, time.monotonic())
            start_once("publish who has left", say_so)

    async def _tell_who_left(self, connection: Connection, left_at: float) -> None:
        await asyncio.sleep(LEFT_AFTER_SECONDS)
        left = self.presence.remove_silent(connection, left_at)
        if left is None:
            return
        # After that time the other clients have removed the cursor by themselves.
        while time.monotonic() - left_at < FORGET_SECONDS:
            with contextlib.suppress(StoreUnavailable):
                await self._store.publish_awareness(self._session_id, left)
                return
            await asyncio.sleep(RETRY_SECONDS)

    def _broadcast(self, frame: bytes) -> None:
        self._audience.send_canvas(Outgoing.binary(frame))

    def _broadcast_elements(self, changed: set[str]) -> None:
        if changed and self._canvas is not None:
            document = self._canvas.document
            self._audience.send_elements(
                lambda: Outgoing.text(encode(CanvasChanged(document.elements(changed))))
            )

    def _count_poison(self) -> None:
        self._counters.canvas_poison += 1

    def _count_cut_character(self) -> None:
        self._counters.canvas_cut_characters += 1
