"""What the backend needs of a store, in small ports: each consumer takes those that it uses.

Every method raises `StoreUnavailable` when the store cannot do it. A deleted session stays
deleted for a while: a method that would create it again raises `SessionDeleted` instead, and
its subscribers receive `deleted`.

`RedisStore` and the tests' fake implement all ports, `SealedStore` those that carry content;
tests/contract runs over each of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Literal, Protocol

import msgspec

from isshoni.backend.store.append_port import Answer as Answer
from isshoni.backend.store.append_port import Appended as Appended
from isshoni.backend.store.append_port import AppendResult as AppendResult
from isshoni.backend.store.append_port import Behind as Behind
from isshoni.backend.store.append_port import ChatAppender as ChatAppender
from isshoni.backend.store.append_port import Duplicate as Duplicate
from isshoni.backend.store.append_port import Gap as Gap
from isshoni.backend.store.append_port import NewMessage as NewMessage
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry

Log = Literal["chat", "canvas"]


@dataclass(frozen=True)
class Head:
    """Where a session's two logs end."""

    epoch: str
    chat_seq: int
    canvas_seq: int


@dataclass(frozen=True)
class ClientStanding:
    """What the chat log has of one client."""

    last_n: int
    """The client's greatest n in the log; 0 when it is unknown."""
    chat_seq: int
    """The log's last seq, read after `last_n`: no event that `last_n` counts is beyond it."""


class Entry(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One entry of a log; equal to another whatever bytes the store has for both.

    No dataclass, like what else is made for each message: a frozen one takes three times as long.
    """

    seq: int
    payload: bytes
    fault: str | None = None
    """Why `payload` cannot be read here; it is then as Redis has it, and of no use."""
    stored: bytes | None = None
    """The bytes in the store; None if they are equal to `payload`."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        mine, its = (self.seq, self.payload, self.fault), (other.seq, other.payload, other.fault)
        return mine == its

    def __ne__(self, other: object) -> bool:
        return not self == other

    @property
    def digest(self) -> str:
        """The SHA-1 of the stored bytes, by which a Redis script compares entries."""
        return digest_stored(self.payload if self.stored is None else self.stored)


@dataclass(frozen=True)
class CanvasLog:
    """A canvas document as stored: a snapshot and the updates after it."""

    snapshot: bytes | None
    updates: list[Entry]
    seq: int
    """The seq of the last update contained in either."""


@dataclass(frozen=True)
class Swept:
    """The result of a visit to every session."""

    stored: int
    """The number of sessions that are stored."""
    expired: int
    """The number of sessions that expired in this sweep."""


class Published(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A publication to a subscriber; `awareness` and `deleted` have seq 0 and are not stored.

    `unread` means: something may have been appended, so both logs must be read.
    """

    kind: Literal["chat", "canvas", "awareness", "deleted", "unread"]
    seq: int
    payload: bytes
    fault: str | None = None
    """As that of an `Entry`."""
    stored: bytes | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Published):
            return NotImplemented
        mine = (self.kind, self.seq, self.payload, self.fault)
        return mine == (other.kind, other.seq, other.payload, other.fault)

    def __ne__(self, other: object) -> bool:
        return not self == other


def digest_stored(stored: bytes) -> str:
    """Return the digest of an entry's stored bytes, as the Redis scripts compute it."""
    return sha1(stored, usedforsecurity=False).hexdigest()


FileKept = Literal["kept", "present", "full", "no_session"]
"""What became of a file: stored now; stored before; no room for it; its session does not exist."""
Listener = Callable[[Published], None]


@dataclass(frozen=True)
class Recorded:
    """What is recorded beside the chat log of one of its entries."""

    seq: int
    digest: str
    """The entry's `Entry.digest`."""
    client_id: str
    """The key of its author; "" if it cannot be read."""
    n: int


class ChatStore(ChatAppender, Protocol):
    """The chat log of a session.

    It numbers its entries 1, 2, 3 …. Appending writes, numbers and publishes in one step: no
    client sees one without the others.
    """

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        """Append lost entries, each at its own seq, as far as they continue the log.

        With `behind`, only if the log ends right before the first of them, and its last entry
        has that digest ("" compares nothing). Returns the new last seq of the log; None if the
        log is not of `epoch`.
        """

    async def merge_chat(
        self, session_id: str, at: Position, lost: list[LostEntry], *, begin_epoch: bool
    ) -> int | None:
        """Append lost entries at new seqs to a log that ends at `at`.

        Returns the new last seq, under a new epoch if asked; None, with nothing written, if the
        log has another epoch or another end.
        """

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        """Read up to `limit` entries with seq > `after`, oldest first."""

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        """Read the last `limit` entries, oldest first."""

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        """Read the last `limit` entries with seq < `before`, oldest first."""

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        """Return a client's greatest n, and a seq that the log had reached by then."""


class LogCounters(Protocol):
    """The counters beside a chat log: where it ends, and the greatest n of each author."""

    async def mend_chat(self, session_id: str, epoch: str, beyond: Sequence[Recorded]) -> bool:
        """Set the counter of a log, if it is behind, to the last of `beyond`, and publish those.

        `beyond` are the log's entries right after the counter. False, with nothing changed, if it
        has others there, or is not of `epoch`.
        """


class CanvasStore(Protocol):
    """The canvas log of a session: a snapshot and the Yjs updates after it.

    It numbers its updates 1, 2, 3 …; only one that lost its end to a failover has a hole, so
    that no number is used twice. Appending publishes too, as with `ChatStore`.
    """

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        """Append a Yjs update; return its seq, greater than `beyond`.

        `Behind`, with nothing written, if the log lacks `known` (as in `append_chat`)."""

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        """Read the canvas updates with seq > `after` that are not yet compacted."""

    async def load_canvas(self, session_id: str) -> CanvasLog:
        """Read the whole canvas document."""

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        """Replace all updates up to `upto` by `snapshot`; return whether it was done.

        False if a snapshot of as many updates is stored already, or if the update at `upto` has
        another digest: then the snapshot was made of another log.
        """


class FileStore(Protocol):
    """The files of a session."""

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        """Store a file with the session, if all its files then fit in `room_bytes`.

        A file that is stored already stays as it is.
        """

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        """Read a file; None when the session has no such file."""


class SessionBus(Protocol):
    """The publications of a session, to every process that has subscribed to it."""

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Subscribe: once this returns, no later publication is missed."""

    async def unsubscribe(self, session_id: str) -> None:
        """Unsubscribe from a session."""

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Send to every subscriber; it is not stored."""


class ReconnectEvents(Protocol):
    """Reports that publications may have been missed."""

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Register a callback for when lost subscriptions are restored.

        Publications were missed by then, so the logs must be read again."""


class SessionDirectory(Protocol):
    """The sessions themselves: which exist, where their logs end."""

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if it does not exist; return where its logs end.

        `epoch` is that of the log that the caller knows: a log that Redis lost entirely is
        created again under this epoch, so that it can be refilled. Without it, raises
        `SessionsFull` if a new session would exceed the quota.
        """

    async def has_session(self, session_id: str) -> bool:
        """True if the session exists; raises `SessionDeleted`."""

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session, with its files, in one step; False if it did not exist."""

    async def record_use(self, session_id: str) -> None:
        """Record that a session is in use now, so that it expires later."""

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN."""


class RehearsalStore(Protocol):
    """Sessions in which a process tries what clients do; no client can join them."""

    def rehearsal_sessions(self) -> list[str]:
        """Return one reserved session id on each server; no client can use such an id."""

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        """Open a session that expires by itself if `erase_session` is never called."""

    async def erase_session(self, session_id: str) -> None:
        """Delete every key of a session; unlike a deleted session it can be opened again."""


class SessionSweeper(Protocol):
    """Bounds the number of stored sessions."""

    async def sweep_sessions(self) -> Swept:
        """Visit every session: expire those that were not used for too long, count the others.

        A session that a process is subscribed to never expires. An expired one counts as deleted.
        """


class StoreProbe(Protocol):
    """Measures whether Redis can be written and read; cheap enough for twice a second."""

    async def probe(self) -> float:
        """Write and read a probe key; return the seconds that it took."""


class NoteStore(Protocol):
    """Notes of the whole deployment: small values that belong to no session."""

    async def read_note(self, name: str) -> bytes | None:
        """Return a note of the whole deployment; None if there is none."""

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        """Write a note unless there is one, or replace it; return the stored one."""

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        """Write a note that expires; writing it again prolongs it."""


class ServerInfo(Protocol):
    """What each Redis server reports about itself."""

    async def read_info(self) -> list[dict[str, str] | None]:
        """Return the INFO text of each server; None for a server that refuses INFO."""


class SessionStore(
    ChatStore,
    LogCounters,
    CanvasStore,
    FileStore,
    SessionBus,
    ReconnectEvents,
    SessionDirectory,
    RehearsalStore,
    StoreProbe,
    Protocol,
):
    """All ports about sessions in one object, for the places that hand them on."""

    async def aclose(self) -> None:
        """Close the connections to the store."""


class DeploymentStore(SessionStore, SessionSweeper, NoteStore, ServerInfo, Protocol):
    """What a store offers before anything is sealed: all ports."""
