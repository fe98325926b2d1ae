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
from isshoni.backend.live.download import Download, send_elements
from isshoni.backend.live.element_view import ElementView
from isshoni.backend.live.log_feed import MAX_HELD, LogFeed
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters
from isshoni.backend.store.ports import CanvasStore, Entry, SessionBus
from isshoni.backend.tasks import start_lasting, start_once
from isshoni.session.messages import CanvasChanged, encode
from isshoni.session.server.presence import FORGET_SECONDS, Presence
from isshoni.session.server.yjs_update import EMPTY_STATE, parse_awareness
from isshoni.session.sync import make_awareness, make_step1_at, make_update
from isshoni.session.yjs_walk import BrokenUpdate

RETRY_SECONDS = 0.5
"""Seconds before another attempt to read a document or to publish that a client left."""
HOLE_SECONDS = 1.0
"""Seconds that a missing update may be late: tabs of one browser exchange updates directly, so
a later one may reach the server first."""
REPAIR_SECONDS = 0.2
"""Seconds before a document with cut characters is loaded again: more may follow."""
LEFT_AFTER_SECONDS = 5.0
"""Seconds after a connection ended until its clients are published as left, if they are silent."""


class LiveCanvasStore(CanvasStore, SessionBus, Protocol):
    """The ports that a live canvas needs: its log, and the awareness of its viewers."""


class LiveCanvas:
    """The canvas of one live session; it is loaded when a client first needs it."""

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
        self._reported_holes: dict[int, int] = {}
        self._hole_timer: asyncio.TimerHandle | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._comparison = Comparison()
        self._canvas: Canvas | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._undelivered: dict[int, bytes] = {}
        """Updates by seq that are saved but not yet published: a failover may lose them."""
        self._feed = LogFeed(
            lambda after: store.read_canvas(session_id, after=after),
            self._deliver,
            partial(self._reload, log_lost=True),
        )

    async def ensure(self) -> Canvas:
        """Load the canvas and follow its log, unless it is loaded; raises `StoreUnavailable`."""
        async with self._lock:
            canvas = self._canvas
            if canvas is None:
                canvas = self._make_canvas()
                self._feed.hold()
                position, last = await canvas.load()
                self._canvas = canvas
                self._feed.start(position, last)
                self._look_for_holes_later(canvas)
        return canvas

    @property
    def at_hand(self) -> Canvas | None:
        """The canvas that `ensure` returns, if that need not wait; else None."""
        return None if self._lock.locked() else self._canvas

    @property
    def is_loading(self) -> bool:
        """True while the document is being loaded for some client."""
        return self._canvas is None and self._lock.locked()

    async def wait_for_load(self) -> None:
        """Wait until a load that is running has ended, whatever its outcome."""
        async with self._lock:
            pass

    async def ensure_faithful(self) -> Canvas:
        """Load the canvas as `ensure` does; again if cut characters made it unreliable.

        Raises `StoreUnavailable`.
        """
        canvas = await self.ensure()
        if canvas.must_reload:
            async with self._lock:
                if self._canvas is canvas and canvas.must_reload:
                    await self._load_again(canvas)
        return canvas

    async def ensure_view(self) -> ElementView:
        """Return the canvas as JSON, loaded if need be; raises `StoreUnavailable`."""
        while True:
            canvas = await self.ensure_faithful()
            try:
                view = await canvas.ensure_view()
            except BrokenUpdate:
                self._reload(log_lost=False)
                raise StoreUnavailable("the canvas is loaded again") from None
            if self.follows(view):  # else it was loaded again while it was built
                return view

    def follows(self, view: ElementView) -> bool:
        """True if a view is of the document as it is now."""
        return self._canvas is not None and self._canvas.view is view

    async def _load_again(self, canvas: Canvas) -> None:
        """Load the document again, and send viewers what was published during the load."""
        known, known_entry = self._feed.position, self._feed.last
        state, had_view = canvas.document.state(), canvas.view is not None
        self._feed.stop()
        self._feed.hold()
        try:
            position, last = await canvas.load()
        except BaseException:
            self._feed.start(known, known_entry)
            raise
        self._feed.start(position, last)
        self._look_for_holes_later(canvas)
        if position != known:
            self._send_all(canvas, state)
        if had_view:
            start_once("show all elements", self._show_elements())

    def _repair_soon(self) -> None:
        if self._repairing is None or self._repairing.done():
            self._repairing = start_once("load a cut canvas again", self._repair())

    async def _repair(self) -> None:
        await asyncio.sleep(REPAIR_SECONDS)
        # If the store cannot be read now, the next restore or the next cut tries again.
        with contextlib.suppress(StoreUnavailable):
            if self._canvas is not None:
                await self.ensure_faithful()

    def _make_canvas(self) -> Canvas:
        return Canvas(self._session_id, self._store, self._count_poison, self._count_cut_character)

    def stop(self) -> None:
        """Stop following the log, and drop the document."""
        self._feed.stop()
        if self._canvas is not None:
            self._canvas.drop_view()
        self._canvas = None
        self._undelivered.clear()
        if self._hole_timer is not None:
            self._hole_timer.cancel()
            self._hole_timer = None
        if self._repairing is not None:
            self._repairing.cancel()
            self._repairing = None

    @property
    def position(self) -> int:
        """The seq up to which the log was followed."""
        return self._feed.position

    @property
    def known_seq(self) -> int:
        """The greatest seq that is known to have been in the log."""
        return max(self._feed.position, *self._undelivered, 0)

    def keep_appended(self, seq: int, update: bytes) -> None:
        """Keep a saved update until it is published."""
        if seq > self._feed.position and len(self._undelivered) < MAX_HELD:
            self._undelivered[seq] = update

    def choose_digest(self) -> str:
        """Return the digest of the entry at `position`; "" if no comparison is due."""
        last = self._feed.last
        return last.digest if last is not None and self._comparison.is_due() else ""

    async def save(self) -> None:
        """Append what this document has and the log lacks; raises `StoreUnavailable`."""
        if self._canvas is not None:
            await self._put_back(self._canvas, self.known_seq)

    async def _put_back(self, canvas: Canvas, known: int) -> None:
        for seq, update in list(self._undelivered.items()):
            # It may not be lost: then it is in the log twice, and Yjs applies it once.
            await self._store.append_canvas(self._session_id, update, beyond=known)
            self._undelivered.pop(seq, None)
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

    def receive(self, entry: Entry) -> None:
        """Handle a published update."""
        self._feed.receive(entry)

    async def catch_up(self, head_seq: int, known_seq: int) -> None:
        """Re-read up to where the log ends, after publications may have been missed.

        `known_seq` is the property's value from before `head_seq` was read.
        """
        if self._canvas is None:
            return
        if known_seq > head_seq or await self._is_other_log():
            self._reload(log_lost=True)
            return
        await self._feed.catch_up()
        if self._feed.position < head_seq:
            # The missing entries were compacted into the snapshot before they could be read.
            self._reload(log_lost=False)

    def _reload(self, *, log_lost: bool) -> None:
        if self._reloading is None:
            rebuild = partial(self._rebuild, log_lost=log_lost)
            self._reloading = start_lasting("rebuild a canvas", rebuild)

    async def _rebuild(self, *, log_lost: bool) -> None:
        """Load the document again, and send all of it to every viewer: Yjs keeps what is new.

        With `log_lost`, what this process has and the log lost is appended first, and all
        viewers are asked for updates that the document lacks.
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
                # The document may be the only copy of lost updates: keep it, and try again.
                if not isinstance(fault, StoreUnavailable):
                    log_fault("canvas_not_read", fault, session=self._session_id)
                self._feed.start(known, known_entry)
                again = partial(self._reload, log_lost=log_lost)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, again)
                return
            self._feed.start(position, last)
            self._undelivered = {
                at: update for at, update in self._undelivered.items() if at > position
            }
            self._look_for_holes_later(self._canvas)
            self._send_all(self._canvas, EMPTY_STATE)
            start_once("show all elements", self._show_elements())
            if log_lost:
                self._broadcast(make_step1_at(self._canvas.document.state()))

    def _send_all(self, canvas: Canvas, state: bytes) -> None:
        """Send every viewer what a document at `state` lacks."""
        download = Download(canvas.document.frames_missing_at(state))
        for connection in self._audience.connections():
            if connection.client.takes_canvas:
                download.start(connection)

    async def _show_elements(self) -> None:
        """Send all elements to the clients that read the canvas as JSON."""
        readers = [one for one in self._audience.connections() if one.client.takes_elements]
        if not readers:
            return
        with contextlib.suppress(StoreUnavailable):
            view = await self.ensure_view()
            for connection in readers:
                await send_elements(connection, view, list(view.cut_ids()))

    def _deliver(self, entry: Entry) -> None:
        assert self._canvas is not None
        if (
            self._undelivered.get(entry.seq, entry.payload) == entry.payload
            or entry.fault is not None
        ):
            self._undelivered.pop(entry.seq, None)
        else:  # another entry has the seq of one saved here: the log lost that one
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
            self._look_for_holes_later(self._canvas)
            if self._canvas.must_reload:
                self._repair_soon()

    def _look_for_holes_later(self, canvas: Canvas) -> None:
        if self._hole_timer is None and canvas.document.missing:
            loop = asyncio.get_running_loop()
            self._hole_timer = loop.call_later(HOLE_SECONDS, self._ask_for_missing_updates)

    def _ask_for_missing_updates(self) -> None:
        self._hole_timer = None
        if self._canvas is None:
            return
        document = self._canvas.document
        if (
            document.has_cut_character
        ):  # its clocks may be wrong: load it again, then look for holes
            self._repair_soon()
            self._hole_timer = asyncio.get_running_loop().call_later(
                HOLE_SECONDS, self._ask_for_missing_updates
            )
            return
        missing, reported = document.missing, self._reported_holes
        holes = {author: at for author, at in missing.items() if reported.get(author) != at}
        self._reported_holes = missing
        if holes:
            self._counters.canvas_holes += len(holes)
            session = self._session_id
            log_event("canvas_hole", level=logging.ERROR, session=session, missing=holes)
            self._broadcast(make_step1_at(document.state()))

    # Present clients

    def deliver_awareness(self, payload: bytes) -> None:
        """Remember published awareness, and send it to every viewer."""
        try:
            self.presence.add_published(parse_awareness(payload), time.monotonic())
        except BrokenUpdate as fault:
            log_event("awareness_unreadable", session=self._session_id, reason=fault)
            return
        self._broadcast(make_awareness(payload))

    def leave(self, connection: Connection) -> None:
        """Publish a closed connection's clients as left after `LEFT_AFTER_SECONDS`.

        A client that moved or reconnected announces itself before, and is not published as left.
        """
        if self.presence.list_owned(connection):
            publishing = self._publish_departure(connection, time.monotonic())
            start_once("publish that clients left", publishing)

    async def _publish_departure(self, connection: Connection, left_at: float) -> None:
        await asyncio.sleep(LEFT_AFTER_SECONDS)
        left = self.presence.remove_silent(connection, left_at)
        if left is None:
            return
        # After `FORGET_SECONDS` the other clients remove the cursor by themselves.
        while time.monotonic() - left_at < FORGET_SECONDS:
            with contextlib.suppress(StoreUnavailable):
                await self._store.publish_awareness(self._session_id, left)
                return
            await asyncio.sleep(RETRY_SECONDS)

    def _broadcast(self, frame: bytes) -> None:
        self._audience.send_canvas(Outgoing.binary(frame))

    def _broadcast_elements(self, changed: set[str]) -> None:
        if changed and self._canvas is not None and (view := self._canvas.view) is not None:
            self._audience.send_elements(
                lambda: Outgoing.text(encode(CanvasChanged(view.pick(changed))))
            )

    def _count_poison(self) -> None:
        self._counters.canvas_poison += 1

    def _count_cut_character(self) -> None:
        self._counters.canvas_cut_characters += 1
