"""Recover a chat log whose last entries were lost in a failover of Redis.

Redis replicates asynchronously: a replica that takes over may lack messages that were
acknowledged. Every client that received them can return them: each event has a MAC of the
server over session, epoch, seq and envelope, so a client can neither forge an event nor move one
to another seq, log or session.
"""

import hmac
import re
from binascii import b2a_base64
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
from msgspec import UNSET

from isshoni.session.errors import ProtocolError
from isshoni.session.identifiers import author_key
from isshoni.session.messages import ChatEnvelope

MAC_BYTES = 16
TAIL_EVENTS = 1000
TAIL_BYTES = 512 * 1024
"""The last events that a client keeps: at 1,000 messages a second, one second of lag."""

_EVENT = re.compile(rb'\{"type":"chat","seq":([1-9]\d{0,15}),"mac":"([A-Za-z0-9_-]{22})",')
_envelopes = msgspec.json.Decoder(ChatEnvelope)
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
MessageIdentity = tuple[str, int, str, bytes]


@dataclass(frozen=True)
class LostEntry:
    """One message of a log, in the form in which lost ones are appended again."""

    seq: int
    client_id: str
    """The key under which resends of the author are recognised (`author_key`)."""
    n: int
    envelope: bytes


class LogMac:
    """Signs and verifies chat events; all processes of a deployment share the secret."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"isshoni-log").digest()
        self._keyed = blake2b(key=key, digest_size=MAC_BYTES)

    def begin(self, session_id: str, epoch: str) -> "LogSigner":
        """Return the signer of the messages of one log."""
        mac = self._keyed.copy()
        # Neither ids nor epochs contain a NUL: no two places have the same bytes.
        mac.update(b"%b\0%b\0" % (session_id.encode(), epoch.encode()))
        return LogSigner(mac)

    def sign(self, session_id: str, epoch: str, seq: int, envelope: bytes) -> bytes:
        """Return the MAC of a message at its seq: 22 characters."""
        return self.begin(session_id, epoch).sign(seq, envelope)

    def verify(self, session_id: str, epoch: str, event: bytes) -> LostEntry:
        """Return the entry of a genuine chat event; raises `ProtocolError` on any other.

        The event must have the bytes that were sent; white space around it is ignored.
        """
        event = event.strip()
        head = _EVENT.match(event)
        if head is None:
            raise ProtocolError(
                "bad_message", "recalled: an event does not have the form in which a server sent it"
            )
        seq, mac, envelope = int(head[1]), head[2], b"{" + event[head.end() :]
        if not hmac.compare_digest(mac, self.sign(session_id, epoch, seq, envelope)):
            raise ProtocolError(
                "bad_message", f"recalled: the MAC of event {seq} is not of this server"
            )
        return read_entry(seq, envelope)


class LogSigner:
    """Signs the messages of one log, whose session and epoch are in the MAC already."""

    __slots__ = ("_copy",)

    def __init__(self, begun: blake2b) -> None:
        self._copy = begun.copy

    def sign(self, seq: int, envelope: bytes) -> bytes:
        """Return the MAC of a message at its seq: 22 characters."""
        mac = self._copy()
        mac.update(b"%d\0%b" % (seq, envelope))
        return b2a_base64(mac.digest(), newline=False).translate(_TO_URL_SAFE)[:22]


def read_entry(seq: int, envelope: bytes) -> LostEntry:
    """Make an entry of an envelope that is known to be genuine."""
    read = _envelopes.decode(envelope)
    return LostEntry(seq, author_key(read.by or None, read.client_id), read.n, envelope)


def identify(entry: LostEntry) -> MessageIdentity:
    """Return what identifies a message in any log: author, n, text, `about` and `files`.

    The content too, because a client that restarted from an older state reuses numbers.
    """
    read = _envelopes.decode(entry.envelope)
    carried = [None if part is UNSET else part or None for part in (read.about, read.files)]
    return entry.client_id, entry.n, read.text, _encode_sorted(carried) if any(carried) else b""


def read_time(entry: LostEntry) -> int:
    """Return when the server accepted a message, in milliseconds since 1970."""
    return _envelopes.decode(entry.envelope).at


class Recovery:
    """Finds the entries that a log lost, from copies of it that processes and clients have.

    A log that only lost its end gets its entries back at their own seqs, in order. A log to
    which new entries were appended after the loss is *forked*: a copy has another entry at
    the same seq. Copies may be offered in any order, and repeatedly.
    """

    def __init__(
        self, head_seq: int, known_seq: int, log: Mapping[int, LostEntry] | None = None
    ) -> None:
        self.head_seq = head_seq
        self.known_seq = known_seq
        self.is_forked = False
        self.agreed_seq: int | None = None
        """If forked: the last seq at which a copy that differs later agreed with the log."""
        self._log = dict(log or {})
        self._lost: dict[int, dict[bytes, LostEntry]] = {}
        self._links: set[tuple[int, bytes, bytes]] = set()
        """Consecutive entries of some copy: the seq of the second, and both envelopes."""

    @property
    def is_whole(self) -> bool:
        """True if the log is as long as it is known to have been, and not forked."""
        return not self.is_forked and self.head_seq >= self.known_seq

    @property
    def is_covered(self) -> bool:
        """True if forked, and the copies have every entry from the fork to their last one."""
        if not self.is_forked or self.agreed_seq is None:
            return False
        last_seq = max(self._lost, default=self.agreed_seq)
        return all(seq in self._lost for seq in range(self.agreed_seq + 1, last_seq + 1))

    @property
    def read_from(self) -> int:
        """The lowest seq of the log that was read; `head_seq` + 1 if none was."""
        return min(self._log, default=self.head_seq + 1)

    def offer(self, copy: Iterable[LostEntry]) -> None:
        """Add the verified entries of one copy; they may increase `known_seq`."""
        agreed_seq, differs = None, False
        before: LostEntry | None = None
        for entry in sorted(copy, key=lambda entry: entry.seq):
            if before is not None and before.seq == entry.seq - 1:
                self._links.add((entry.seq, before.envelope, entry.envelope))
            before = entry
            there = self._log.get(entry.seq)
            if entry.seq > self.head_seq:
                self._keep(entry)
            elif there is not None and there.envelope != entry.envelope:
                differs = True
                self._keep(entry)
            elif there is not None and not differs:
                agreed_seq = entry.seq
        if differs:
            self._note_fork(agreed_seq)

    def extend_back(self, log: Mapping[int, LostEntry]) -> None:
        """Add earlier entries of the log, to compare copies with."""
        self._log = {**log, **self._log}

    def next_run(self, limit: int) -> list[LostEntry]:
        """Return up to `limit` entries that continue the log; none if it is forked.

        The right seq is not enough: some copy must have the entry directly after the one
        before it, unless that one cannot be compared.
        """
        run: list[LostEntry] = []
        before = self._log.get(self.head_seq)
        while not self.is_forked and len(run) < limit:
            seq = self.head_seq + 1 + len(run)
            for entry in self._lost.get(seq, {}).values():
                if before is None or (seq, before.envelope, entry.envelope) in self._links:
                    run.append(entry)
                    before = entry
            if not run or run[-1].seq != seq:
                break
        return run

    def advance(self, head_seq: int, log: Mapping[int, LostEntry] | None = None) -> None:
        """Record the present end of the log, and its entries as read.

        An entry that is not in `log` cannot be compared, and counts as equal.
        """
        self.head_seq = max(head_seq, self.head_seq)
        self._log.update(log or {})
        for seq in sorted(seq for seq in self._lost if seq <= self.head_seq):
            there = self._log.get(seq)
            kept = self._lost[seq]
            if there is None and not self.is_forked:
                kept = {}
            elif there is not None:
                kept = {key: entry for key, entry in kept.items() if key != there.envelope}
            if kept and not self.is_forked:
                self._note_fork(seq - 1)
            self._lost[seq] = kept
        self._lost = {seq: kept for seq, kept in self._lost.items() if kept}

    def list_missing(self) -> list[LostEntry]:
        """Return the entries that the log lacks at any seq, each message once, by seq."""
        present = {identify(entry) for entry in self._log.values()}
        missing: list[LostEntry] = []
        for seq in sorted(self._lost):
            for entry in self._lost[seq].values():
                if (identity := identify(entry)) not in present:
                    present.add(identity)
                    missing.append(entry)
        return missing

    def _keep(self, entry: LostEntry) -> None:
        kept = self._lost.setdefault(entry.seq, {})
        kept[entry.envelope] = entry
        self.known_seq = max(self.known_seq, entry.seq)
        if len(kept) > 1:
            self._note_fork(None)

    def _note_fork(self, agreed_seq: int | None) -> None:
        self.is_forked = True
        if agreed_seq is not None:
            before = agreed_seq if self.agreed_seq is None else self.agreed_seq
            self.agreed_seq = min(before, agreed_seq)


class EventTail:
    """The last events that a client received, byte for byte."""

    def __init__(self) -> None:
        self._epoch = ""
        self._events: deque[tuple[int, bytes]] = deque()
        self._bytes = 0

    def add(self, epoch: str, seq: int, event: bytes) -> None:
        """Add an event; drop those of another log, and the oldest above `TAIL_BYTES`."""
        if epoch != self._epoch:
            self._events.clear()
            self._epoch, self._bytes = epoch, 0
        if self._events and seq <= self._events[-1][0]:
            return
        self._events.append((seq, event))
        self._bytes += len(event)
        while len(self._events) > TAIL_EVENTS or self._bytes > TAIL_BYTES:
            self._bytes -= len(self._events.popleft()[1])

    def at(self, epoch: str, seq: int) -> bytes | None:
        """Return the event at a position if it is the last one."""
        if epoch == self._epoch and self._events and self._events[-1][0] == seq:
            return self._events[-1][1]
        return None

    def after(self, epoch: str, seq: int) -> list[bytes]:
        """Return the events of a log beyond a seq, in order."""
        if epoch != self._epoch:
            return []
        return [event for at, event in self._events if at > seq]
