"""What the backend needs of a store; `RedisStore` and the tests' fake both pass its contract."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Literal, Protocol

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
class Appended:
    """A message that is in the log now."""

    seq: int
    stored: bytes | None = field(default=None, compare=False, repr=False)
    """The bytes in the store, as in `Entry.stored`."""


@dataclass(frozen=True)
class Duplicate:
    """A message that was in the log before."""

    last_n: int


@dataclass(frozen=True)
class Gap:
    """A message that skips one; nothing was written."""

    expected: int


@dataclass(frozen=True)
class Behind:
    """The log lacks what the caller knows was in it; nothing was written."""


@dataclass(frozen=True)
class Entry:
    """One entry of a log."""

    seq: int
    payload: bytes
    fault: str | None = None
    """Why `payload` cannot be read here; it is then as Redis has it, and of no use."""
    stored: bytes | None = field(default=None, compare=False, repr=False)
    """The bytes in the store; None if they are equal to `payload`."""

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
class Published:
    """What a subscriber hears; `awareness` and `deleted` have seq 0 and are not kept.

    `unread` means: something may have been appended, so both logs must be read.
    """

    kind: Literal["chat", "canvas", "awareness", "deleted", "unread"]
    seq: int
    payload: bytes
    fault: str | None = None
    """As that of an `Entry`."""
    stored: bytes | None = field(default=None, compare=False, repr=False)


def digest_stored(stored: bytes) -> str:
    """Return the digest of an entry's stored bytes, as the Redis scripts compute it."""
    return sha1(stored, usedforsecurity=False).hexdigest()


FileKept = Literal["kept", "present", "full", "no_session"]
"""What became of a file: it is kept now; was there before; has no room; has no session."""
Listener = Callable[[Published], None]


class SessionStore(Protocol):
    """Session state in Redis. Every method raises `StoreUnavailable` when it cannot.

    A session that was deleted stays so for a while: whatever would bring it back raises
    `SessionDeleted` instead, and whoever hears the session hears `deleted`.

    Both logs number their entries 1, 2, 3 …; only a canvas log that lost its end to a
    failover has a hole, so that no number is given twice. Appending writes,
    numbers and publishes in one step: nobody sees one without the others.
    """

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if need be, and say where its logs end.

        `epoch` is that of the log that the caller knows: one that Redis lost whole comes
        into being again under it, to be refilled.
        """

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
        """Append unless (client_id, n) is there (`Duplicate`) or n skips a number (`Gap`).

        A client unknown to the log may start at any n. With `acknowledged`, the last n that
        was acknowledged to it, it must go on from there. The log may forget a client, but not
        while it has a message of that client.

        `known` is the last known end of the log. `Behind`, with nothing written, if the log
        has another epoch, is shorter, or has an entry there whose digest is not `known_digest`
        ("" compares nothing): then it lost messages, and their seqs are not used again.
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

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        """Append a Yjs update unless the log lacks `known`; gives its seq, beyond `beyond`."""

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Tell every subscriber; kept nowhere."""

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        """Read up to `limit` entries with seq > `after`, oldest first."""

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        """Read the last `limit` entries, oldest first."""

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        """Read the last `limit` entries with seq < `before`, oldest first."""

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        """Read the canvas updates with seq > `after` that are not yet compacted."""

    async def load_canvas(self, session_id: str) -> CanvasLog:
        """Read the whole canvas document."""

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        """Replace all updates up to `upto` by `snapshot`, unless another did as much.

        Nor where the update at `upto` has another digest: the snapshot was made of another log.
        """

    async def last_n(self, session_id: str, client_id: str) -> int:
        """Give the greatest n of a client in the chat log; 0 when it is unknown."""

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Hear what is published from now on: when it returns, nothing later is missed."""

    async def unsubscribe(self, session_id: str) -> None:
        """Hear no more of a session."""

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call back after subscriptions were lost and are whole again: re-read, there are holes."""

    async def has_session(self, session_id: str) -> bool:
        """Say whether the session is there; raises `SessionDeleted`."""

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session, files too, in one step; False when nothing was there."""

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        """Keep a file with the session, if all its files then fit in `room_bytes`.

        One that is there stays as it is.
        """

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        """Read a file; None when the session has no such file."""

    async def probe(self) -> float:
        """Write and read a probe key; gives the seconds that it took."""

    async def read_info(self) -> list[dict[str, str] | None]:
        """Return the INFO text of each server; None for a server that refuses INFO."""

    def rehearsal_sessions(self) -> list[str]:
        """Return one reserved session id on each server; no client can use such an id."""

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        """Open a session that expires by itself if `erase_session` is never called."""

    async def erase_session(self, session_id: str) -> None:
        """Delete every key of a session; unlike a deleted session it can be opened again."""

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN."""

    async def read_note(self, name: str) -> bytes | None:
        """Read a note of the whole deployment; None when there is none."""

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        """Write a note unless there is one, or replace it; gives the one that is there."""

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        """Write a note that is gone after a time, or write it anew."""

    async def aclose(self) -> None:
        """Close the connections."""
