"""What the backend needs of a store; `RedisStore` and the tests' fake both pass its contract."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

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


@dataclass(frozen=True)
class Duplicate:
    """A message that was in the log before."""

    last_n: int


@dataclass(frozen=True)
class Gap:
    """A message that skips one; nothing was written."""

    expected: int


@dataclass(frozen=True)
class Entry:
    """One entry of a log."""

    seq: int
    payload: bytes


@dataclass(frozen=True)
class CanvasLog:
    """A canvas document as stored: a snapshot and the updates after it."""

    snapshot: bytes | None
    updates: list[Entry]
    seq: int
    """The seq of the last update contained in either."""


@dataclass(frozen=True)
class Published:
    """What a subscriber hears; `awareness` has seq 0 and is not kept."""

    kind: Literal["chat", "canvas", "awareness"]
    seq: int
    payload: bytes


Listener = Callable[[Published], None]


class SessionStore(Protocol):
    """Session state in Redis. Every method raises `StoreUnavailable` when it cannot.

    Both logs number their entries 1, 2, 3 … without holes. Appending writes,
    numbers and publishes in one step: nobody sees one without the others.
    """

    async def open_session(self, session_id: str) -> Head:
        """Create the session if need be, and say where its logs end."""

    async def append_chat(
        self, session_id: str, client_id: str, n: int, envelope: bytes
    ) -> Appended | Duplicate | Gap:
        """Append unless (client_id, n) is there already or skips one.

        A client that the log does not know may start at any n. The log may forget one,
        but none of whom a message is still in it.
        """

    async def append_canvas(self, session_id: str, update: bytes) -> int:
        """Append a Yjs update; gives its seq."""

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

    async def compact_canvas(self, session_id: str, snapshot: bytes, *, upto: int) -> bool:
        """Replace all updates up to `upto` by `snapshot`, unless another did as much."""

    async def last_n(self, session_id: str, client_id: str) -> int:
        """Give the greatest n of a client in the chat log; 0 when it is unknown."""

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Hear what is published from now on: when it returns, nothing later is missed."""

    async def unsubscribe(self, session_id: str) -> None:
        """Hear no more of a session."""

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call back after subscriptions were lost and are whole again: re-read, there are holes."""

    async def probe(self) -> float:
        """Write and read a probe key; gives the seconds that it took."""

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN."""

    async def aclose(self) -> None:
        """Close the connections."""
