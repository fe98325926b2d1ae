"""The names of a session's keys; the braces put all of them into one cluster slot."""

from dataclasses import dataclass
from functools import lru_cache

from isshoni.backend.store.redis.link.slots import slot_of_tag

SESSION_PATTERN = b"session:*:meta"
_PREFIX, _SUFFIX = b"session:{", b"}:meta"
REHEARSAL_PREFIX = "~ready-"
"""Prefix of the ids of rehearsal sessions (rehearsal.py). No client can use such an id
(`is_identifier` refuses the tilde), and these sessions are never listed or sampled."""


@dataclass(frozen=True)
class SessionKeys:
    """Every key and the channel of one session, and the cluster slot of all of them."""

    meta: bytes
    """Hash: v, epoch, chat_seq, canvas_seq, created_ms; of a deleted session only deleted_ms."""
    chat_log: bytes
    """Stream with ids `seq-0`; field `e` holds the envelope."""
    chat_clients: bytes
    """Hash: client_id → the greatest n that is, or was, in the log."""
    chat_seen: bytes
    """Sorted set: client_id by the seq of that client's last message."""
    chat_marks: bytes
    """Sorted set: a seq now and then, by the time (Redis's, in ms) of its append."""
    canvas_log: bytes
    """Stream with ids `seq-0`; field `u` holds the Yjs update."""
    canvas_snapshot: bytes
    """Hash: upto, state."""
    files: bytes
    """Hash: file_id → the file; '' → what all of them count for, in bytes."""
    channel: bytes
    """The open channel in database 0; `ChannelNames` has the others."""
    slot: int

    @property
    def all(self) -> tuple[bytes, ...]:
        """The keys of both logs, in the order in which lua/session.lua unpacks them."""
        return (
            self.meta,
            self.chat_log,
            self.chat_clients,
            self.chat_seen,
            self.chat_marks,
            self.canvas_log,
            self.canvas_snapshot,
        )


@lru_cache(maxsize=16_384)
def session_keys(session_id: str) -> SessionKeys:
    """Return the keys of a session."""
    name = session_id.encode()
    tag = b"{%b}" % name
    return SessionKeys(
        meta=b"session:%b:meta" % tag,
        chat_log=b"chat:%b:log" % tag,
        chat_clients=b"chat:%b:clients" % tag,
        chat_seen=b"chat:%b:seen" % tag,
        chat_marks=b"chat:%b:marks" % tag,
        canvas_log=b"canvas:%b:log" % tag,
        canvas_snapshot=b"canvas:%b:snapshot" % tag,
        files=b"files:%b" % tag,
        channel=b"live:%b" % tag,
        slot=slot_of_tag(name),
    )


def parse_session_id(meta_key: bytes) -> str | None:
    """Return the session id in a meta key's name; None if it is not a client's session."""
    if not (meta_key.startswith(_PREFIX) and meta_key.endswith(_SUFFIX)):
        return None
    session_id = meta_key[len(_PREFIX) : -len(_SUFFIX)].decode("ascii", "replace")
    return None if session_id.startswith(REHEARSAL_PREFIX) else session_id


SWEEP_KEY = b"isshoni:sweep"
"""Hash: watched_since_ms, last_ms, sessions (how many are stored); see upkeep.py."""
SWEEP_LEASE_KEY = b"isshoni:sweep-lease"
"""String that expires: a process has swept the sessions not long ago."""


REGION_KEY = b"isshoni:region"
"""Hash: term, writer, stamp, beat_ms; see region.py."""
REGION_CHANNEL = b"region:{isshoni:region}"


def note_key(name: str) -> bytes:
    """Return the key of a note of the whole deployment."""
    return b"isshoni:" + name.encode()
