"""Find the chat events that a client lacks, from memory or from the store."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import msgspec

from isshoni.backend.live.event_maker import EventMaker
from isshoni.backend.live.log_feed import LogFeed
from isshoni.backend.store.ports import Entry, SessionStore
from isshoni.session.messages import HistoryPage, Position

HISTORY_LIMIT = 200
"""The most events that a client without a position is sent."""
REPLAY_LIMIT = 2000
"""A client that lacks more events than this is sent the last `HISTORY_LIMIT` instead."""
PAGE = 500
"""The most entries of the log that are read at once."""


@dataclass(frozen=True)
class History:
    """The events that bring a client up to date, and the position after them."""

    mode: Literal["replay", "full"]
    events: list[bytes]
    position: Position


class ChatHistory:
    """The last events of a session's log as frames, and older ones from the store."""

    __slots__ = ("_events", "_feed", "_recent", "_session_id", "_store", "epoch")

    def __init__(
        self, session_id: str, store: SessionStore, feed: LogFeed, events: EventMaker
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._feed = feed
        self._events = events
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=HISTORY_LIMIT)
        self.epoch = ""

    def begin(self, epoch: str, recent: list[Entry]) -> None:
        """Replace all events by the last ones of a log that was just read."""
        self.epoch = epoch
        self._recent.clear()
        self._recent.extend((entry.seq, self._make_event(entry)) for entry in recent)

    def add(self, entry: Entry) -> bytes:
        """Add the next entry; return its event."""
        event = self._events.make(self.epoch, entry)
        self._recent.append((entry.seq, event))
        return event

    def has_delivered(self, seq: int, envelope: bytes) -> bool:
        """True if this was delivered at its seq, or is too old to be compared."""
        return self._feed.has_delivered(seq, envelope)

    def recent_events(self) -> list[bytes]:
        """Return the recent events, oldest first."""
        return [event for _, event in self._recent]

    def ends_with(self, seq: int, event: bytes) -> bool:
        """True if this is the last event."""
        return bool(self._recent) and self._recent[-1] == (seq, event)

    async def since(self, position: Position | None, chat_seq: int) -> History:
        """Return the events from `position` to the present, which is `chat_seq` or later.

        The caller must use them before it awaits anything: later ones may arrive then.
        """
        if position is not None and position.epoch != self.epoch:
            position = None
        if max(chat_seq, position.seq if position else 0) > self._feed.position:
            # Another process wrote or delivered entries that this one has not received yet.
            await self._feed.catch_up()
        if position is None:
            return self._full()
        events = await self._events_after(position.seq)
        return self._full() if events is None else History("replay", events, self._position())

    async def page_before(self, seq: int, limit: int) -> HistoryPage:
        """Return the last `limit` events before `seq`, and whether there are older ones."""
        page = await self._store.read_chat_before(self._session_id, before=seq, limit=limit + 1)
        events = [self._make_event(entry) for entry in page[-limit:]]
        return HistoryPage([msgspec.Raw(event) for event in events], more=len(page) > limit)

    async def _events_after(self, seq: int) -> list[bytes] | None:
        """Return the events from `seq` to the present; None if there are too many, or a hole."""
        older: list[bytes] = []
        while not self._recent_reaches(seq):
            if seq > self._feed.position or len(older) >= REPLAY_LIMIT:
                return None
            page = await self._store.read_chat(self._session_id, after=seq, limit=PAGE)
            if not page or page[0].seq != seq + 1:
                return None
            older += [self._make_event(entry) for entry in page]
            seq = page[-1].seq
        if seq > self._feed.position:
            # The log is ahead of its publications, which will deliver the rest.
            return None if not older else older[: len(older) - (seq - self._feed.position)]
        return older + self._recent_after(seq)

    def _recent_after(self, seq: int) -> list[bytes]:
        """Return the recent events after `seq`, oldest first; a client that returns lacks few."""
        events: list[bytes] = []
        for at, event in reversed(self._recent):
            if at <= seq:
                break
            events.append(event)
        events.reverse()
        return events

    def _recent_reaches(self, seq: int) -> bool:
        if seq == self._feed.position:
            return True
        return bool(self._recent) and self._recent[0][0] <= seq + 1 <= self._recent[-1][0] + 1

    def _full(self) -> History:
        return History("full", self.recent_events(), self._position())

    def _position(self) -> Position:
        return Position(self.epoch, self._feed.position)

    def _make_event(self, entry: Entry) -> bytes:
        return self._events.make(self.epoch, entry)
