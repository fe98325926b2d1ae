"""What several fake stores share, as processes share one Redis."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import Entry, Head, Published
from isshoni.session.messages import Position


class FakeSubscriber(Protocol):
    """A store that receives what others publish."""

    def listens_to(self, session_id: str) -> bool:
        """True if it is subscribed to a session."""

    def hear(self, session_id: str, publication: Published) -> None:
        """Receive a publication."""

    def hear_birth(self, session_id: str, epoch: str) -> None:
        """Receive that a session has a new log."""


@dataclass
class FakeSession:
    """Everything of one session."""

    epoch: str
    chat: list[Entry] = field(default_factory=list)
    clients: dict[str, int] = field(default_factory=dict)
    canvas: list[Entry] = field(default_factory=list)
    canvas_seq: int = 0
    snapshot: bytes | None = None
    upto: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    used_at: float = field(default_factory=monotonic)

    def lacks(self, log: list[Entry], head_seq: int, known: Position, digest: str) -> bool:
        if self.epoch != known.epoch or head_seq < known.seq:
            return True
        there = next((entry for entry in log if entry.seq == known.seq), None)
        return bool(digest) and there is not None and there.digest != digest

    @property
    def head(self) -> Head:
        return Head(self.epoch, len(self.chat), self.canvas_seq)


class FakeServer:
    """What several stores share, as processes share one Redis."""

    def __init__(self) -> None:
        self.sessions: dict[str, FakeSession] = {}
        self.stores: list[FakeSubscriber] = []
        self.notes: dict[str, bytes] = {}
        self._lent: dict[str, object] = {}
        self.deleted: set[str] = set()
        self.full = self.short_of_replicas = False
        """It takes no writes; of those, a full one takes what frees memory or puts back."""
        self.watched_since: float | None = None
        """When the first sweep was."""
        self._epochs = itertools.count(1)

    def open(self, session_id: str, epoch: str | None = None) -> FakeSession:
        if session_id in self.deleted:
            self.publish(session_id, Published("deleted", 0, b""))
            raise SessionDeleted(session_id)
        if session_id not in self.sessions:
            self.sessions[session_id] = FakeSession(epoch or self.make_epoch())
            self.tell_of_birth(session_id)
        return self.sessions[session_id]

    def make_epoch(self) -> str:
        return f"epoch-{next(self._epochs)}"

    def tell_of_birth(self, session_id: str) -> None:
        for store in self.stores:
            store.hear_birth(session_id, self.sessions[session_id].epoch)

    def lose_tail(self, session_id: str, chat_seq: int, canvas_seq: int = 0) -> None:
        """Forget the ends of a session's logs, as a failover to a lagging replica does."""
        session = self.sessions[session_id]
        del session.chat[chat_seq:]
        session.clients = {}
        for entry in session.chat:
            envelope = json.loads(entry.payload)
            session.clients[envelope["client_id"]] = envelope["n"]
        session.canvas = [entry for entry in session.canvas if entry.seq <= canvas_seq]
        session.canvas_seq = canvas_seq

    def publish(self, session_id: str, publication: Published) -> None:
        for store in self.stores:
            store.hear(session_id, publication)

    def lend(self, name: str, value: bytes, seconds: float) -> None:
        """Store a note, and remove it after `seconds` unless it was stored again."""
        self.notes[name] = value
        lent = self._lent[name] = object()

        def expire() -> None:
            if self._lent.get(name) is lent:
                self.notes.pop(name, None)

        asyncio.get_running_loop().call_later(seconds, expire)

    def lose_everything(self) -> None:
        """Forget all sessions, as a Redis without its data does."""
        self.sessions.clear()
