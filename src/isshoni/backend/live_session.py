"""A session as this process holds it: its logs followed, its connections served."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from isshoni.backend.canvas import Canvas
from isshoni.backend.counters import Counters
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.log_feed import LogFeed
from isshoni.backend.outgoing import Outgoing
from isshoni.backend.ports import Entry, Published, SessionStore
from isshoni.backend.yjs_update import EMPTY_STATE, BrokenUpdate
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import CanvasChanged, HistoryPage, Position, encode, event_frame
from isshoni.session.sync import make_awareness, make_update

if TYPE_CHECKING:
    from isshoni.backend.connection import Connection

HISTORY_LIMIT = 200
"""Messages that a client without a position gets."""
REPLAY_LIMIT = 2000
"""Messages that a client can be behind and still get exactly those."""
_PAGE = 500


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

    def __init__(self, session_id: str, store: SessionStore, counters: Counters) -> None:
        self.session_id = session_id
        self.connections: dict[Connection, None] = {}
        """In the order of arrival."""
        self._store = store
        self._counters = counters
        self._lock = asyncio.Lock()
        self._loaded = False
        self._epoch = ""
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=HISTORY_LIMIT)
        self._chat = LogFeed(
            lambda after: store.read_chat(session_id, after=after, limit=_PAGE),
            self._deliver_chat,
            partial(self._reset, "chat log lost"),
        )
        self._generations: dict[str, int] = {}
        self._canvas: Canvas | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._canvas_feed = LogFeed(
            lambda after: store.read_canvas(session_id, after=after),
            self._deliver_canvas,
            self._reload_canvas,
        )

    # Loading and unloading

    async def ensure_loaded(self) -> None:
        """Follow the session's chat from its present; raises `StoreUnavailable`."""
        if self._loaded:
            return
        async with self._lock:
            if not self._loaded:
                await self._load()

    async def _load(self) -> None:
        self._chat.hold()
        await self._store.subscribe(self.session_id, self._hear)
        head = await self._store.open_session(self.session_id)
        recent = await self._store.read_recent_chat(self.session_id, limit=HISTORY_LIMIT)
        self._epoch = head.epoch
        self._recent.clear()
        self._recent.extend((entry.seq, event_frame(entry.seq, entry.payload)) for entry in recent)
        self._chat.start(recent[-1].seq if recent else head.chat_seq)
        self._loaded = True

    async def ensure_canvas(self) -> Canvas:
        """Follow the session's canvas too; raises `StoreUnavailable`."""
        await self.ensure_loaded()
        async with self._lock:
            canvas = self._canvas
            if canvas is None:
                canvas = Canvas(self.session_id, self._store, self._count_poison)
                self._canvas_feed.hold()
                position = await canvas.load()
                self._canvas = canvas
                self._canvas_feed.start(position)
        return canvas

    async def unload(self) -> None:
        """Follow nothing more, unless somebody came meanwhile."""
        async with self._lock:
            if self.connections or not self._loaded:
                return
            self._forget()
            try:
                await self._store.unsubscribe(self.session_id)
            except StoreUnavailable:
                # Not subscribed any more either: the link resubscribes by what we told it.
                return

    def _forget(self) -> None:
        self._loaded = False
        self._generations.clear()
        self._chat.stop()
        self._canvas_feed.stop()
        self._canvas = None

    async def catch_up(self) -> None:
        """Re-read after publications may have been missed; reset if the log is another."""
        if not self._loaded:
            return
        try:
            head = await self._store.open_session(self.session_id)
        except StoreUnavailable:
            # The store calls back again once it is whole.
            return
        if head.epoch != self._epoch or head.chat_seq < self._chat.position:
            self._reset("another log")
            return
        self._chat.reread()
        if self._canvas is not None:
            await self._canvas_feed.catch_up()
            if self._canvas_feed.position < head.canvas_seq:
                # What is missing was compacted away while we were not listening.
                self._reload_canvas()

    def _reload_canvas(self) -> None:
        if self._reloading is None:
            self._reloading = asyncio.get_running_loop().create_task(self._rebuild_canvas())

    async def _rebuild_canvas(self) -> None:
        """Read the document anew, and give everybody all of it: Yjs keeps what is new."""
        async with self._lock:
            self._reloading = None
            if self._canvas is None:
                return
            self._canvas_feed.stop()
            self._canvas_feed.hold()
            try:
                position = await self._canvas.load()
            except StoreUnavailable:
                self._reset("canvas unreadable")
                return
            self._canvas_feed.start(position)
            document = self._canvas.document
            self._broadcast_binary(make_update(document.missing_from(EMPTY_STATE)))
            self._broadcast_elements(set(document.elements()))

    def _reset(self, reason: str) -> None:
        """Send everybody back to the start: what we hold is not what Redis holds."""
        log_event("session_reset", level=logging.WARNING, session=self.session_id, reason=reason)
        self._forget()
        for connection in list(self.connections):
            connection.close(CloseCode.RESUME)

    def note_generation(self, client_id: str, generation: int) -> None:
        """Remember the newest connection of a client."""
        self._generations[client_id] = max(generation, self.newest_generation(client_id))

    def newest_generation(self, client_id: str) -> int:
        """Give the generation of a client's newest connection; 0 when it has none."""
        return self._generations.get(client_id, 0)

    # Restoring

    async def history_since(self, position: Position | None) -> History:
        """Give what leads from `position` to the present, and where the present is.

        The caller must use it before anything else runs: it is the present only now.
        """
        if position is None or position.epoch != self._epoch:
            return self._full_history()
        if position.seq > self._chat.position:
            # The client heard through another process what has not come here yet.
            await self._chat.catch_up()
        events = await self._events_after(position.seq)
        if events is None:
            return self._full_history()
        return History("replay", events, self._position())

    async def page_before(self, seq: int, limit: int) -> HistoryPage:
        """Give the last `limit` events before `seq`, and whether there are older ones."""
        page = await self._store.read_chat_before(self.session_id, before=seq, limit=limit + 1)
        events = [event_frame(entry.seq, entry.payload) for entry in page[-limit:]]
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
            older += [event_frame(entry.seq, entry.payload) for entry in page]
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
        if published.kind == "awareness":
            self._deliver_awareness(published.payload)
        elif published.kind == "chat":
            self._chat.hear(Entry(published.seq, published.payload))
        else:
            self._canvas_feed.hear(Entry(published.seq, published.payload))

    def _deliver_chat(self, entry: Entry) -> None:
        frame = event_frame(entry.seq, entry.payload)
        self._recent.append((entry.seq, frame))
        outgoing = Outgoing.text(frame)
        for connection in self.connections:
            if connection.takes_chat:
                connection.send(outgoing)

    def _deliver_canvas(self, entry: Entry) -> None:
        assert self._canvas is not None
        try:
            changed = self._canvas.apply(entry)
        except BrokenUpdate:
            self._reload_canvas()
            return
        self._broadcast_binary(make_update(entry.payload))
        self._broadcast_elements(changed)
        self._canvas.compact_if_long()

    def _deliver_awareness(self, payload: bytes) -> None:
        self._broadcast_binary(make_awareness(payload))

    def _broadcast_binary(self, frame: bytes) -> None:
        outgoing = Outgoing.binary(frame)
        for connection in self.connections:
            if connection.takes_canvas:
                connection.send(outgoing)

    def _broadcast_elements(self, changed: set[str]) -> None:
        readers = [connection for connection in self.connections if connection.takes_elements]
        if not readers or not changed or self._canvas is None:
            return
        elements = self._canvas.document.elements(changed)
        outgoing = Outgoing.text(encode(CanvasChanged(elements)))
        for connection in readers:
            connection.send(outgoing)

    def _count_poison(self) -> None:
        self._counters.canvas_poison += 1
