"""The names of a session's keys; the braces put all of them into one cluster slot."""

from dataclasses import dataclass
from functools import lru_cache

SESSION_PATTERN = b"session:*:meta"
_PREFIX, _SUFFIX = b"session:{", b"}:meta"


@dataclass(frozen=True)
class SessionKeys:
    """Every key and the channel of one session."""

    meta: bytes
    """Hash: v, epoch, chat_seq, canvas_seq, created_ms."""
    chat_log: bytes
    """Stream with ids `seq-0`; field `e` holds the envelope."""
    chat_clients: bytes
    """Hash: client_id → the greatest n of that client in the log."""
    canvas_log: bytes
    """Stream with ids `seq-0`; field `u` holds the Yjs update."""
    canvas_snapshot: bytes
    """Hash: upto, state."""
    channel: bytes

    @property
    def all(self) -> tuple[bytes, ...]:
        """The keys in the order in which lua/session.lua unpacks them."""
        return (
            self.meta,
            self.chat_log,
            self.chat_clients,
            self.canvas_log,
            self.canvas_snapshot,
        )


@lru_cache(maxsize=16_384)
def session_keys(session_id: str) -> SessionKeys:
    """Name the keys of a session."""
    tag = b"{%b}" % session_id.encode()
    return SessionKeys(
        meta=b"session:%b:meta" % tag,
        chat_log=b"chat:%b:log" % tag,
        chat_clients=b"chat:%b:clients" % tag,
        canvas_log=b"canvas:%b:log" % tag,
        canvas_snapshot=b"canvas:%b:snapshot" % tag,
        channel=b"live:%b" % tag,
    )


def parse_session_id(meta_key: bytes) -> str | None:
    """Give the session id in the name of a meta key; None if it is not one of ours."""
    if not (meta_key.startswith(_PREFIX) and meta_key.endswith(_SUFFIX)):
        return None
    return meta_key[len(_PREFIX) : -len(_SUFFIX)].decode("ascii", "replace")


def note_key(name: str) -> bytes:
    """Name the key of a note of the whole deployment."""
    return b"isshoni:" + name.encode()
