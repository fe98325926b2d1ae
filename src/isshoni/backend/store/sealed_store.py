"""A store around another one that encrypts all content of sessions."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from msgspec import structs

from isshoni.backend.errors import KeyRefused, Unreadable
from isshoni.backend.security.vault import Vault
from isshoni.backend.store.key_check import KeyCheck
from isshoni.backend.store.ports import (
    Answer,
    AppendResult,
    Behind,
    CanvasLog,
    ClientStanding,
    Entry,
    FileKept,
    Head,
    Listener,
    NewMessage,
    NoteStore,
    Published,
    Recorded,
    SessionStore,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry

_BIG_BYTES = 256 * 1024
"""From this size on sealing and opening takes milliseconds, so a thread does it."""


class SealableStore(SessionStore, NoteStore, Protocol):
    """A store of sessions, with the notes that the key check needs."""


class SealedStore:
    """A `SessionStore` that seals what it hands to another store, and opens what it reads.

    Before the first operation the key is compared with the one that the data was sealed with: with
    a wrong key, or none, every operation on a session raises `KeyRefused` and changes nothing.
    An entry that cannot be opened all the same is returned with a `fault`, and is left as it is.
    Notes and what the servers report carry no content of sessions, so they are not wrapped.
    """

    def __init__(self, store: SealableStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._key = KeyCheck(store, vault)

    async def check_key(self) -> None:
        """Compare the keys, and store the test value. Raises `KeyRefused`, `StoreUnavailable`."""
        await self._key.store()

    async def _ready(self) -> SessionStore:
        """Return the store below once the keys have been compared."""
        if not self._key.is_done:
            await self._key.run()
        return self._store

    async def _ready_to_seal(self, session_id: str) -> SessionStore:
        """Return the store below once the test value is sealed as content of sessions will be."""
        store = await self._ready()
        if not self._key.is_stored and session_id not in self._store.rehearsal_sessions():
            await self._key.store()
        return store

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if it does not exist; return where its logs end."""
        return await (await self._ready()).open_session(session_id, epoch=epoch)

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
    ) -> AppendResult:
        """Append unless (client_id, n) is stored or skips a number, or the log lacks `known`."""
        store = self._store if self._key.is_stored else await self._ready_to_seal(session_id)
        sealed = self._vault.seal(envelope)
        return await store.append_chat(
            session_id,
            client_id,
            n,
            sealed,
            known=known,
            known_digest=known_digest,
            acknowledged=acknowledged,
        )

    def start_append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        answer: Answer,
        *,
        known: Position | None = None,
        known_digest: str = "",
    ) -> bool:
        """Append messages in one step; False, with nothing sent, if they must wait."""
        if not self._key.is_stored:
            return False
        if self._vault.seals:
            messages = [
                NewMessage(m.client_id, m.n, self._vault.seal(m.envelope), m.acknowledged)
                for m in messages
            ]
        return self._store.start_append(
            session_id, messages, answer, known=known, known_digest=known_digest
        )

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        """Append lost entries, each at its own seq, as far as they continue the log."""
        store, sealed = await self._ready_to_seal(session_id), self._seal_entries(lost)
        return await store.refill_chat(session_id, epoch, sealed, behind=behind)

    async def merge_chat(
        self, session_id: str, at: Position, lost: list[LostEntry], *, begin_epoch: bool
    ) -> int | None:
        """Append lost entries at new seqs to a log that ends at `at`."""
        store, sealed = await self._ready_to_seal(session_id), self._seal_entries(lost)
        return await store.merge_chat(session_id, at, sealed, begin_epoch=begin_epoch)

    async def mend_chat(self, session_id: str, epoch: str, beyond: Sequence[Recorded]) -> bool:
        """Set the log's counter, if it is behind, to the last of the entries after it."""
        return await (await self._ready()).mend_chat(session_id, epoch, beyond)

    def _seal_entries(self, lost: list[LostEntry]) -> list[LostEntry]:
        return [replace(entry, envelope=self._vault.seal(entry.envelope)) for entry in lost]

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        """Append a Yjs update unless the log lacks `known`; return its seq."""
        store = await self._ready_to_seal(session_id)
        sealed = await self._seal(update)
        return await store.append_canvas(
            session_id, sealed, known=known, known_digest=known_digest, beyond=beyond
        )

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Send to every subscriber; it is not stored."""
        await (await self._ready()).publish_awareness(session_id, self._vault.seal(payload))

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        """Read up to `limit` entries with seq > `after`, oldest first."""
        store = await self._ready()
        return await self._open_all(await store.read_chat(session_id, after=after, limit=limit))

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        """Read the last `limit` entries, oldest first."""
        store = await self._ready()
        return await self._open_all(await store.read_recent_chat(session_id, limit=limit))

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        """Read the last `limit` entries with seq < `before`, oldest first."""
        store = await self._ready()
        entries = await store.read_chat_before(session_id, before=before, limit=limit)
        return await self._open_all(entries)

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        """Read the canvas updates with seq > `after` that are not yet compacted."""
        store = await self._ready()
        return await self._open_all(await store.read_canvas(session_id, after=after))

    async def load_canvas(self, session_id: str) -> CanvasLog:
        """Read the whole canvas document; raises `KeyRefused` if its snapshot cannot be opened."""
        log = await (await self._ready()).load_canvas(session_id)
        try:
            snapshot = None if log.snapshot is None else await self._open(log.snapshot)
        except Unreadable as fault:
            raise KeyRefused(f"the canvas of {session_id} cannot be read: {fault}") from None
        return CanvasLog(snapshot, await self._open_all(log.updates), log.seq)

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        """Replace all updates up to `upto` by `snapshot`, sealed with the first key."""
        store = await self._ready_to_seal(session_id)
        sealed = await self._seal(snapshot)
        return await store.compact_canvas(session_id, sealed, upto=upto, digest=digest)

    async def has_session(self, session_id: str) -> bool:
        """True if the session exists; raises `SessionDeleted`."""
        return await (await self._ready()).has_session(session_id)

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session; False if it did not exist."""
        return await (await self._ready()).delete_session(session_id)

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        """Store a file with the session, if all its files then fit in `room_bytes`."""
        store = await self._ready_to_seal(session_id)
        sealed = await self._seal(content)
        return await store.keep_file(session_id, file_id, sealed, room_bytes=room_bytes)

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        """Return a file; raises `KeyRefused` if it cannot be opened."""
        stored = await (await self._ready()).read_file(session_id, file_id)
        try:
            return None if stored is None else await self._open(stored)
        except Unreadable as fault:
            raise KeyRefused(f"file {file_id} of {session_id} cannot be read: {fault}") from None

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        """Return a client's greatest n, and a seq that the log had reached by then."""
        return await (await self._ready()).read_standing(session_id, client_id)

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Subscribe: once this returns, no later publication is missed."""

        def hear(published: Published) -> None:
            try:
                stored = published.payload
                content = self._vault.open(stored)
                opened = (
                    published
                    if content is stored
                    else Published(published.kind, published.seq, content, stored=stored)
                )
            except Unreadable as fault:
                opened = structs.replace(published, fault=str(fault))
            listener(opened)

        await (await self._ready()).subscribe(session_id, hear)

    async def unsubscribe(self, session_id: str) -> None:
        """Unsubscribe from a session."""
        await self._store.unsubscribe(session_id)

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Register a callback for when lost subscriptions are restored."""
        self._store.on_reconnect(callback)

    async def probe(self) -> float:
        """Write and read a probe key, after comparing the keys again."""
        await self._key.run()
        return await self._store.probe()

    def rehearsal_sessions(self) -> list[str]:
        """Return one reserved session id on each primary."""
        return self._store.rehearsal_sessions()

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        """Open a session that expires by itself."""
        return await (await self._ready()).lend_session(session_id, seconds=seconds)

    async def erase_session(self, session_id: str) -> None:
        """Delete every key of a session; unlike a deleted session it can be opened again."""
        await self._store.erase_session(session_id)

    async def record_use(self, session_id: str) -> None:
        """Record that a session is in use now, so that it expires later."""
        await self._store.record_use(session_id)

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN."""
        return await (await self._ready()).sample_sessions(limit)

    async def aclose(self) -> None:
        """Close the connections to the store."""
        await self._store.aclose()

    async def _seal(self, content: bytes) -> bytes:
        if len(content) < _BIG_BYTES:
            return self._vault.seal(content)
        return await asyncio.to_thread(self._vault.seal, content)

    async def _open(self, stored: bytes) -> bytes:
        if len(stored) < _BIG_BYTES:
            return self._vault.open(stored)
        return await asyncio.to_thread(self._vault.open, stored)

    async def _open_all(self, entries: list[Entry]) -> list[Entry]:
        if sum(len(entry.payload) for entry in entries) < _BIG_BYTES:
            return [self._open_entry(entry) for entry in entries]
        return await asyncio.to_thread(lambda: [self._open_entry(entry) for entry in entries])

    def _open_entry(self, entry: Entry) -> Entry:
        try:
            content = self._vault.open(entry.payload)
        except Unreadable as fault:
            return structs.replace(entry, fault=str(fault))
        if content is entry.payload:
            return entry
        return Entry(entry.seq, content, stored=entry.payload)
