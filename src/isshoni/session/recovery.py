"""A chat log that lost its end, as a failover of Redis can make it, and how it gets it back.

Redis replicates asynchronously: a replica that takes over may lack messages that were
acknowledged. Whoever saw them can hand them back, for each event carries the MAC of the
server (over session, epoch, seq and envelope): genuine ones can be told from others, and
none can be put in another place, another log or another session.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from isshoni.session.errors import ProtocolError
from isshoni.session.identifiers import author_key
from isshoni.session.messages import ChatEnvelope

MAC_BYTES = 16
TAIL_EVENTS = 1000
TAIL_BYTES = 512 * 1024
"""What a client keeps of the log's end: at 1,000 messages a second, a second of lag."""

_EVENT = re.compile(rb'\{"type":"chat","seq":([1-9]\d{0,15}),"mac":"([A-Za-z0-9_-]{22})",')
_envelopes = msgspec.json.Decoder(ChatEnvelope)


@dataclass(frozen=True)
class LostEntry:
    """One message that is to be put back."""

    seq: int
    client_id: str
    """The author's key in the dedupe memory (`author_key`)."""
    n: int
    envelope: bytes


class LogMac:
    """The server's mark on chat events; all processes of a deployment share the secret."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"isshoni-log").digest()
        self._keyed = blake2b(key=key, digest_size=MAC_BYTES)

    def sign(self, session_id: str, epoch: str, seq: int, envelope: bytes) -> bytes:
        """Make the MAC of a message in its place: 22 characters."""
        mac = self._keyed.copy()
        # Neither ids nor epochs hold a NUL: no two places give the same bytes.
        mac.update(b"%b\0%b\0%d\0" % (session_id.encode(), epoch.encode(), seq))
        mac.update(envelope)
        return urlsafe_b64encode(mac.digest())[:22]

    def verify(self, session_id: str, epoch: str, event: bytes) -> LostEntry:
        """Read a chat event of ours back; raises `ProtocolError` on any other.

        It must be as it was sent, byte for byte (white space around it aside).
        """
        event = event.strip()
        head = _EVENT.match(event)
        if head is None:
            raise ProtocolError("bad_message", "recalled: an event is not as it was sent")
        seq, mac, envelope = int(head[1]), head[2], b"{" + event[head.end() :]
        if not hmac.compare_digest(mac, self.sign(session_id, epoch, seq, envelope)):
            raise ProtocolError("bad_message", f"recalled: the MAC of event {seq} is not ours")
        return read_entry(seq, envelope)


def read_entry(seq: int, envelope: bytes) -> LostEntry:
    """Make an entry of an envelope that is known to be genuine."""
    read = _envelopes.decode(envelope)
    return LostEntry(seq, author_key(read.by or None, read.client_id), read.n, envelope)


class Recovery:
    """What a log lacks between its end and where it is known to have been.

    Entries are offered from anywhere, in any order, any number of times; they are given
    out in order of seq, without a hole.
    """

    def __init__(self, head_seq: int, known_seq: int) -> None:
        self.head_seq = head_seq
        self.known_seq = known_seq
        self._offered: dict[int, LostEntry] = {}

    @property
    def is_whole(self) -> bool:
        """Say whether the log is as long as it is known to have been."""
        return self.head_seq >= self.known_seq

    def offer(self, entries: Iterable[LostEntry]) -> None:
        """Take genuine entries; one beyond what was known shows that the log was longer."""
        for entry in entries:
            if entry.seq > self.head_seq:
                self._offered[entry.seq] = entry
                self.known_seq = max(self.known_seq, entry.seq)

    def next_run(self, limit: int) -> list[LostEntry]:
        """Give what continues the log, up to `limit` entries."""
        run: list[LostEntry] = []
        while len(run) < limit and (entry := self._offered.get(self.head_seq + 1 + len(run))):
            run.append(entry)
        return run

    def advance(self, head_seq: int) -> None:
        """Note where the log ends now, whoever wrote to it."""
        self.head_seq = head_seq
        self._offered = {seq: entry for seq, entry in self._offered.items() if seq > head_seq}


class EventTail:
    """The last events that a client holds, each as it came."""

    def __init__(self) -> None:
        self._epoch = ""
        self._events: deque[tuple[int, bytes]] = deque()
        self._bytes = 0

    def add(self, epoch: str, seq: int, event: bytes) -> None:
        """Keep an event; those of another log are forgotten, and the oldest when it is much."""
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
        """Give the event at a place, if it is the last one."""
        if epoch == self._epoch and self._events and self._events[-1][0] == seq:
            return self._events[-1][1]
        return None

    def after(self, epoch: str, seq: int) -> list[bytes]:
        """Give the events of a log beyond a seq, in order."""
        if epoch != self._epoch:
            return []
        return [event for at, event in self._events if at > seq]
