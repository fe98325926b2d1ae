"""A session store in memory, for tests of what stands on one."""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import (
    Appended,
    Behind,
    CanvasLog,
    Duplicate,
    Entry,
    FileKept,
    Gap,
    Head,
    Listener,
    Published,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry


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
        self.stores: list[FakeSessionStore] = []
        self.notes: dict[str, bytes] = {}
        self.deleted: set[str] = set()
        self.full = self.short_of_replicas = False
        """It takes no writes; of those, a full one takes what frees memory or puts back."""
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

    def lose_everything(self) -> None:
        """Forget all sessions, as a Redis without its data does."""
        self.sessions.clear()


class FakeSessionStore:
    """A `SessionStore` that passes the same contract as `RedisStore`.

    `fail()` makes every method raise until `recover()`, which then calls back
    as after a reconnect; what was published meanwhile is never heard.
    """

    def __init__(self, server: FakeServer | None = None) -> None:
        self.server = server or FakeServer()
        self.server.stores.append(self)
        self.failing = False
        self._listeners: dict[str, Listener] = {}
        self._opened: dict[str, str] = {}
        self._callbacks: list[Callable[[], None]] = []

    def fail(self) -> None:
        """Lose the connection."""
        self.failing = True

    def recover(self) -> None:
        """Have the connection back, and say so."""
        self.failing = False
        self._tell_to_reread()

    def hear(self, session_id: str, publication: Published) -> None:
        """Pass a publication on, later, as a socket would."""
        listener = self._listeners.get(session_id)
        if listener is not None and not self.failing:
            asyncio.get_running_loop().call_soon(self._deliver, session_id, listener, publication)

    def hear_birth(self, session_id: str, epoch: str) -> None:
        """Note that a session has a new log."""
        if self._opened.get(session_id, epoch) != epoch and not self.failing:
            asyncio.get_running_loop().call_soon(self._tell_to_reread)

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        await self._pause()
        if session_id not in self.server.sessions and session_id not in self.server.deleted:
            self._check_writable()
        session = self.server.open(session_id, epoch)
        if session_id in self._listeners:
            self._opened[session_id] = session.epoch
        return session.head

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        *,
        known: Position | None = None,
        acknowledged: int = 0,
        known_digest: str = "",
    ) -> Appended | Duplicate | Gap | Behind:
        await self._pause_to_write()
        session = self.server.sessions.get(session_id)
        if known and (
            session is None or session.lacks(session.chat, len(session.chat), known, known_digest)
        ):
            return Behind()
        last_n = session.clients.get(client_id) if session else None
        if last_n is None and acknowledged:
            last_n = acknowledged
        if last_n is not None and n <= last_n:
            return Duplicate(last_n)
        if last_n is not None and n > last_n + 1:
            return Gap(last_n + 1)
        session = self.server.open(session_id)
        seq = self._write(session_id, session, client_id, n, envelope)
        return Appended(seq, envelope)

    def _write(
        self, session_id: str, session: FakeSession, client_id: str, n: int, envelope: bytes
    ) -> int:
        seq = len(session.chat) + 1
        session.chat.append(Entry(seq, envelope))
        session.clients[client_id] = max(n, session.clients.get(client_id, 0))
        self.server.publish(session_id, Published("chat", seq, envelope))
        return seq

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        await self._pause_to_write(when_full=True)
        session = self.server.sessions.get(session_id)
        if session is None or session.epoch != epoch:
            return None
        if behind is not None:
            last = session.chat[-1].digest if session.chat else ""
            if len(session.chat) + 1 != lost[0].seq or (behind and last != behind):
                return len(session.chat)
        for entry in lost:
            if entry.seq == len(session.chat) + 1:
                self._write(session_id, session, entry.client_id, entry.n, entry.envelope)
        return len(session.chat)

    async def merge_chat(
        self, session_id: str, at: Position, lost: list[LostEntry], *, begin_epoch: bool
    ) -> int | None:
        await self._pause_to_write(when_full=True)
        session = self.server.sessions.get(session_id)
        if session is None or (session.epoch, len(session.chat)) != (at.epoch, at.seq):
            return None
        if begin_epoch:
            session.epoch = self.server.make_epoch()
            self.server.tell_of_birth(session_id)
        for entry in lost:
            self._write(session_id, session, entry.client_id, entry.n, entry.envelope)
        return len(session.chat)

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        await self._pause_to_write()
        session = self.server.sessions.get(session_id)
        lacks = session is None or (
            known is not None
            and session.lacks(session.canvas, session.canvas_seq, known, known_digest)
        )
        if known and lacks and session_id not in self.server.deleted:
            return Behind()
        session = self.server.open(session_id)
        session.canvas_seq = max(session.canvas_seq, beyond) + 1
        session.canvas.append(Entry(session.canvas_seq, update))
        self.server.publish(session_id, Published("canvas", session.canvas_seq, update))
        return session.canvas_seq

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        await self._pause()
        self.server.publish(session_id, Published("awareness", 0, payload))

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[after : after + limit] if session else []

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[-limit:] if session else []

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[: before - 1][-limit:] if session else []

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return [entry for entry in session.canvas if entry.seq > after] if session else []

    async def load_canvas(self, session_id: str) -> CanvasLog:
        await self._pause()
        session = self.server.sessions.get(session_id)
        if session is None:
            return CanvasLog(None, [], 0)
        return CanvasLog(session.snapshot, list(session.canvas), session.canvas_seq)

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        await self._pause_to_write(when_full=True)
        session = self.server.open(session_id)
        opened = self._opened.get(session_id, session.epoch)
        if opened != session.epoch or not session.upto < upto <= session.canvas_seq:
            return False
        last = next((entry for entry in session.canvas if entry.seq == upto), None)
        if digest and (last is None or last.digest != digest):
            return False
        session.snapshot, session.upto = snapshot, upto
        session.canvas = [entry for entry in session.canvas if entry.seq > upto]
        return True

    async def has_session(self, session_id: str) -> bool:
        await self._pause()
        if session_id in self.server.deleted:
            raise SessionDeleted(session_id)
        return session_id in self.server.sessions

    async def delete_session(self, session_id: str) -> bool:
        await self._pause_to_write(when_full=True)
        if session_id not in self.server.sessions:
            return session_id in self.server.deleted
        del self.server.sessions[session_id]
        self.server.deleted.add(session_id)
        self.server.publish(session_id, Published("deleted", 0, b""))
        return True

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        await self._pause_to_write()
        if session_id in self.server.deleted:
            raise SessionDeleted(session_id)
        session = self.server.sessions.get(session_id)
        if session is None:
            return "no_session"
        if file_id in session.files:
            return "present"
        sizes = [max(len(one), 1024) for one in (*session.files.values(), content)]
        if sum(sizes) > room_bytes:
            return "full"
        session.files[file_id] = content
        return "kept"

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.files.get(file_id) if session else None

    async def last_n(self, session_id: str, client_id: str) -> int:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.clients.get(client_id, 0) if session else 0

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        await self._pause()
        self._listeners[session_id] = listener

    async def unsubscribe(self, session_id: str) -> None:
        self._listeners.pop(session_id, None)
        self._opened.pop(session_id, None)
        await asyncio.sleep(0)

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    async def probe(self) -> float:
        await self._pause_to_write()
        return 0.0

    async def read_info(self) -> list[dict[str, str] | None]:
        await self._pause()
        return [{"redis_version": "7.4.0", "maxmemory_policy": "noeviction", "aof_enabled": "1"}]

    def rehearsal_sessions(self) -> list[str]:
        return [f"~ready-{id(self)}"]

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        return await self.open_session(session_id)

    async def erase_session(self, session_id: str) -> None:
        await self._pause()
        self.server.sessions.pop(session_id, None)

    async def sample_sessions(self, limit: int) -> list[str]:
        await self._pause()
        return [name for name in self.server.sessions if not name.startswith("~")][:limit]

    async def read_note(self, name: str) -> bytes | None:
        await self._pause()
        return self.server.notes.get(name)

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        await self._pause_to_write()
        if replace:
            self.server.notes[name] = value
        return self.server.notes.setdefault(name, value)

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        await self._pause_to_write()
        self.server.notes[name] = value

    async def aclose(self) -> None:
        if self in self.server.stores:
            self.server.stores.remove(self)

    def _check_writable(self, *, when_full: bool = False) -> None:
        if self.server.full and not when_full:
            raise StoreUnavailable("Redis refused: OOM")
        if self.server.short_of_replicas:
            raise StoreUnavailable("Redis refused: NOREPLICAS")

    async def _pause(self) -> None:
        # Always let others run, as a real store does; then the state is read in one go.
        await asyncio.sleep(0)
        if self.failing:
            raise StoreUnavailable("the fake store was told to fail")

    async def _pause_to_write(self, *, when_full: bool = False) -> None:
        await self._pause()
        self._check_writable(when_full=when_full)

    def _deliver(self, session_id: str, listener: Listener, publication: Published) -> None:
        if self._listeners.get(session_id) is listener:
            listener(publication)

    def _tell_to_reread(self) -> None:
        for callback in self._callbacks:
            callback()
