"""The ledger of chat: every message, its sender, and its place in the log for each receiver.

Nothing here trusts the client's own bookkeeping: a message is known by its text,
which no other message has, so a resend under a new number, a changed text or a
message under another's name all show. Memory is some 12 bytes a delivery, and some
500 a message.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isshoni.session.from_server import ChatEvent
from isshoni.verify.acts import make_identity
from isshoni.verify.latency import LatencySeries
from isshoni.verify.wire import WireFaults, WireOrder

UNKNOWN = 0
"""In place of a seq or a time: there is none (yet)."""


@dataclass(slots=True)
class Message:
    """One chat message, from the moment that it was typed."""

    sender: int
    n: int
    sent_at: float
    acked: bool = False
    acked_seq: int = UNKNOWN
    acked_epoch: str = ""
    placed: bool = False
    """True once it was delivered to any user."""
    forgiven: bool = False
    """True if its sender ended before the acknowledgement, or was given it back by its client.

    The log may have it or not.
    """


@dataclass(slots=True)
class Received:
    """What one user was given in one epoch: as ranges of places, so that it stays small."""

    firsts: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    elsewhere: set[int] = field(default_factory=set)
    """Indexes of messages that came late, or at another place than other users saw them at."""

    def add_place(self, seq: int) -> None:
        """Add a place behind all others."""
        if self.lasts and self.lasts[-1] == seq - 1:
            self.lasts[-1] = seq
        else:
            self.firsts.append(seq)
            self.lasts.append(seq)

    def has_place(self, seq: int) -> bool:
        """True if a place was added."""
        number = bisect_right(self.firsts, seq) - 1
        return number >= 0 and seq <= self.lasts[number]


@dataclass(slots=True)
class Member:
    """One user, as the ledger sees them."""

    client_id: str
    session: "SessionBook"
    joined_seq: int | None = None
    """The log's end at the first restore; all after it is owed to this user."""
    joined_epoch: str = ""
    epoch: str = ""
    """The epoch of the log that this user has now."""
    first_seq: int = UNKNOWN
    """The first seq of that epoch that this user was given."""
    last_seq: int = UNKNOWN
    """The greatest seq of that epoch that this user was given."""
    sent: "array[int]" = field(default_factory=lambda: array("I"))
    """Message indexes, in the order of n."""
    acked: int = 0
    """How many of `sent` are acknowledged, or forgiven."""
    reads: bool = True
    """False once deliveries to this user no longer count."""
    received: dict[str, "Received"] = field(default_factory=dict)
    """Epoch → what this user was given in it."""
    wire: WireOrder = field(default_factory=WireOrder)

    def is_from_before(self, seq: int) -> bool:
        """True if a message of the current epoch is from before this user joined."""
        return self.epoch == self.joined_epoch and seq <= (self.joined_seq or 0)

    def has_now(self, index: int) -> bool:
        """True if this user was given a message in the current epoch."""
        return self._has_in(self.epoch, index)

    def has_ever(self, index: int) -> bool:
        """True if this user was given a message in any epoch."""
        return any(self._has_in(epoch, index) for epoch in self.received)

    def record(self, index: int, seq: int, *, in_place: bool) -> None:
        """Record that this user was given a message; `in_place`: where all others saw it."""
        received = self.received.setdefault(self.epoch, Received())
        if in_place and seq > self.last_seq:
            received.add_place(seq)
        else:
            received.elsewhere.add(index)

    def _has_in(self, epoch: str, index: int) -> bool:
        received = self.received.get(epoch)
        if received is None:
            return False
        place = self.session.log_of(epoch).place_of.get(index, UNKNOWN)
        return index in received.elsewhere or received.has_place(place)


@dataclass(slots=True)
class FinalLog:
    """What a fresh reader found at the end: the log from `first_seq` on."""

    epoch: str
    first_seq: int
    messages: set[int]


@dataclass(slots=True)
class EpochLog:
    """One epoch of a session's log, as its users saw it."""

    message_at: dict[int, int] = field(default_factory=dict)
    """seq → index of the message that was first seen there."""
    place_of: dict[int, int] = field(default_factory=dict)
    """Index of a message → the seq at which it was first seen."""
    last_place: int = UNKNOWN
    """The greatest seq that was delivered."""
    contested: dict[int, set[int]] = field(default_factory=dict)
    """seq → messages that were shown there to some, while others were shown another one."""
    doubled: set[int] = field(default_factory=set)
    """Messages that were shown at two places."""


@dataclass(slots=True)
class SessionBook:
    """One session's members and its log, which may begin again under another epoch."""

    session_id: str
    members: list[int] = field(default_factory=list)
    logs: dict[str, EpochLog] = field(default_factory=dict)
    """Epoch → log, the oldest epoch first."""
    epoch: str = ""
    """The newest epoch."""
    final: FinalLog | None = None

    def log_of(self, epoch: str) -> EpochLog:
        """Return the log of an epoch; one that was not seen before becomes the newest."""
        log = self.logs.get(epoch)
        if log is None:
            log = self.logs[epoch] = EpochLog()
            self.epoch = epoch
        return log


class Ledger:
    """Records what synthetic users sent and got; `judge` turns it into findings."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.messages: list[Message] = []
        self.sessions: dict[str, SessionBook] = {}
        self.latency = LatencySeries()
        self.doubled: set[int] = set()
        self.reordered: set[int] = set()
        self.foreign = 0
        """Deliveries of something that no one sent like that."""
        self.acked = 0
        self.forgiven = 0
        self._unplaced = 0
        """How many messages have not been delivered to any user yet, but must be."""
        self._index_of: dict[str, int] = {}
        self._acts_of: dict[str, list[str]] = {}
        """Text → the keys of the messages about others that have it."""
        self.plain: set[int] = set()
        """Messages about others that were delivered as plain text."""
        self.has_older_server = False
        """True if any server stores only the text of messages."""

    def add_user(self, client_id: str, session_id: str) -> int:
        """Add a user; return the number that stands for it from here on."""
        user = len(self.members)
        book = self.sessions.setdefault(session_id, SessionBook(session_id))
        book.members.append(user)
        self.members.append(Member(client_id, book))
        return user

    def record_joined(self, user: int, seq: int, epoch: str = "") -> None:
        """Record where the log ended when a user was first restored."""
        member = self.members[user]
        if member.joined_seq is None:
            member.joined_seq = seq
            member.joined_epoch = member.epoch = epoch
            member.session.log_of(epoch)

    def is_at_epoch(self, user: int, epoch: str) -> bool:
        """True if the log that a user reads now has the epoch `epoch`."""
        return self.members[user].epoch == epoch

    def record_other_epoch(self, user: int, epoch: str) -> None:
        """Record that a user's log began again under another epoch.

        Its seqs have another meaning: the user is given its messages again. An acknowledged
        message must be in it, at any seq, once.
        """
        member = self.members[user]
        member.session.log_of(epoch)
        member.session.epoch = member.epoch = epoch
        member.first_seq = member.last_seq = UNKNOWN

    def record_sent(self, user: int, n: int, text: str, at: float, about: object = None) -> None:
        """Record a message; `text` must be unlike any other's, `n` the sender's next.

        Two that differ in what they are `about` may have one text.
        """
        identity = make_identity(text, about)
        if identity in self._index_of:
            raise ValueError(f"the text {text!r} is another message's; each needs its own")
        index = len(self.messages)
        self._index_of[identity] = index
        if identity != text:
            self._acts_of.setdefault(text, []).append(identity)
        self.messages.append(Message(user, n, at))
        self.members[user].sent.append(index)
        self._unplaced += 1

    def identify(self, event: ChatEvent) -> str:
        """Return what a delivered message is known by.

        One that came without what it is about, as a server of an older version stores it, is
        known by its number; it counts as `plain`.
        """
        identity = make_identity(event.text, event.about)
        for sent in self._acts_of.get(event.text, ()) if identity == event.text else ():
            index = self._index_of[sent]
            message = self.messages[index]
            sender = self.members[message.sender]
            if message.n == event.n and sender.client_id == event.client_id:
                self.plain.add(index)
                return sent
        return identity

    def record_features(self, features: Sequence[str]) -> None:
        """Record the features of the server that restored a user."""
        self.has_older_server |= not features

    def record_numbered(self, user: int, changes: Mapping[int, int]) -> None:
        """Record changed numbers of a user's messages: old → new."""
        left = dict(changes)
        # Newest first: an older message may have the same old number.
        for index in reversed(self.members[user].sent):
            message = self.messages[index]
            if message.n in left:
                message.n = left.pop(message.n)
            if not left:
                break

    def forgive_unacked(self, user: int) -> None:
        """Record that a sender ended: the log may have its unacknowledged messages or not."""
        member = self.members[user]
        for index in member.sent[member.acked :]:
            self._forgive(self.messages[index])
        member.acked = len(member.sent)

    def record_given_back(self, user: int, n: int) -> None:
        """Record that a client gave message `n` back to its author, and does not send it again."""
        member = self.members[user]
        for index in member.sent[member.acked :]:
            if self.messages[index].n == n:
                self._forgive(self.messages[index])
                return

    def _forgive(self, message: Message) -> None:
        if message.forgiven:
            return
        message.forgiven = True
        self.forgiven += 1
        self._unplaced -= not message.placed

    def record_stopped_reading(self, user: int) -> None:
        """Record that deliveries to a user no longer count."""
        self.members[user].reads = False
        self.members[user].wire.end()

    def record_ack(self, user: int, n: int, seq: int | None, epoch: str = "") -> None:
        """Record that message `n` of a user, and all before it, are acknowledged.

        `seq` is its place in the log of `epoch`, if the server named it.
        """
        member = self.members[user]
        sent, messages = member.sent, self.messages
        while member.acked < len(sent) and messages[sent[member.acked]].n <= n:
            message = messages[sent[member.acked]]
            member.acked += 1
            if message.forgiven:
                continue
            message.acked = True
            self.acked += 1
            if message.n == n and seq is not None:
                message.acked_seq, message.acked_epoch = seq, epoch

    def record_delivery(
        self, user: int, seq: int, client_id: str, n: int, text: str, at: float
    ) -> None:
        """Record that the application of `user` was given a message."""
        index = self._index_of.get(text)
        if index is None or not self._is_genuine(index, user, client_id, n):
            self.foreign += 1
            return
        member, message = self.members[user], self.messages[index]
        is_again = member.has_ever(index)
        log = member.session.log_of(member.epoch)
        self._check_place(log, index, message, seq)
        if seq <= member.last_seq:
            (self.doubled if member.has_now(index) else self.reordered).add(index)
        in_place = log.message_at[seq] == index and log.place_of[index] == seq
        member.record(index, seq, in_place=in_place)
        if seq > member.last_seq:
            member.first_seq = member.first_seq or seq
            member.last_seq = seq
        if not (is_again or member.is_from_before(seq)):
            self.latency.record(message.sent_at, at)

    def record_wire(self, user: int, connection: int, seq: int, *, in_replay: bool) -> None:
        """Record an event as it came, before the client put it in order."""
        self.members[user].wire.record(connection, seq, in_replay=in_replay)

    def record_final_log(
        self, session_id: str, entries: Sequence[tuple[int, str]], epoch: str = ""
    ) -> None:
        """Record the (seq, text) that a fresh reader was given at the end, and of which epoch."""
        found = [self._index_of[text] for _, text in entries if text in self._index_of]
        self.doubled |= {index for index, times in Counter(found).items() if times > 1}
        first = min((seq for seq, _ in entries), default=1)
        self.sessions[session_id].final = FinalLog(epoch, first, set(found))

    def everything_acked(self) -> bool:
        """True if every message is acknowledged or forgiven."""
        return self.acked + self.forgiven == len(self.messages)

    def everything_delivered(self) -> bool:
        """True if all messages were delivered, and every reading user has got the last one."""
        return self._unplaced == 0 and all(
            member.epoch == book.epoch and member.last_seq == book.log_of(book.epoch).last_place
            for book in self.sessions.values()
            for member in map(self.members.__getitem__, book.members)
            if member.reads
        )

    def wire_faults(self) -> WireFaults:
        """Add up what was wrong on the wire, each message of a session once."""
        total = WireFaults()
        for book in self.sessions.values():
            total = total + WireFaults.union(self.members[user].wire for user in book.members)
        return total

    def _is_genuine(self, index: int, user: int, client_id: str, n: int) -> bool:
        message = self.messages[index]
        sender = self.members[message.sender]
        same_session = sender.session is self.members[user].session
        return same_session and sender.client_id == client_id and message.n == n

    def _check_place(self, log: EpochLog, index: int, message: Message, seq: int) -> None:
        """Check that each message has one place in an epoch, and each place one message."""
        self._unplaced -= not (message.placed or message.forgiven)
        message.placed = True
        place = log.place_of.get(index, UNKNOWN)
        if place == seq:
            return
        if log.message_at.setdefault(seq, index) != index:
            log.contested.setdefault(seq, set()).add(index)
        elif place == UNKNOWN:
            log.place_of[index] = seq
            log.last_place = max(log.last_place, seq)
        else:
            log.doubled.add(index)
