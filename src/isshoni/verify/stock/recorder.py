"""Turns what stock clients report into the ledger of `verify`. Pure: no I/O, no clock.

An application has no log with numbers that all clients see. But each client's own messages have
an order: so each sender's messages are one session of the ledger, in which the place of a message
is its number, and the clients of the room are its members.
"""

from dataclasses import dataclass, field

from isshoni.verify.attribution import Probe, ProbeOutcome
from isshoni.verify.gaps import ConnectionTimeline
from isshoni.verify.ledger import Ledger
from isshoni.verify.stock.ids import find_ids, make_id
from isshoni.verify.stock.shapes import shape_of
from isshoni.verify.stock.trial import Reach, Trial

SERVED = "application"
"""In place of a colour: which one serves a stock client is not known."""
MAX_SAMPLES = 20


@dataclass
class StockUser:
    """One stock client, as its process reports it."""

    number: int
    room: str
    timeline: ConnectionTimeline = field(default_factory=ConnectionTimeline)
    opened: int = 0
    attempts: list[Probe] = field(default_factory=list)
    """Connections that failed."""

    @property
    def name(self) -> str:
        """The name of this client in the result."""
        return f"stock-{self.number}"


@dataclass
class Tally:
    """Counts beyond the ledger."""

    closes: dict[str, int] = field(default_factory=dict)
    """How often connections were closed, by code or reason."""
    reconnects: int = 0
    recovered: int = 0
    """Reconnects that kept the session of the library (Socket.IO's recovery)."""
    refused: int = 0
    """Messages that the library refused to send, as its connection was closing."""
    acknowledged: int = 0
    removals: int = 0
    """How often a client of a document saw another one leave."""


class Recorder:
    """The books of one run."""

    def __init__(self, run: str, rooms: dict[int, str]) -> None:
        self.run = run
        self.users = {number: StockUser(number, room) for number, room in rooms.items()}
        self.ledger = Ledger()
        self.tally = Tally()
        self.trouble: list[str] = []
        self.samples: list[str] = []
        """Frames without an id of this run, for the error when no id comes back."""
        self.trial_frames: dict[str, list[tuple[int, str, str]]] = {}
        """Id of a trial message → (receiver, frame, shape)."""
        self.trial_acks: set[str] = set()
        self.trial: Trial | None = None
        self.last_delivery = 0.0
        self._documents: dict[str, dict[str, str]] = {}
        self._members: dict[tuple[int, int], int] = {}
        """(sender, receiver) → the number of that member in the ledger."""
        self._early: dict[tuple[int, int], list[tuple[int, float, bool]]] = {}
        """(sender, n) → who got a message whose sending is not reported yet."""
        self._ending = False

    def begin(self, trial: Trial) -> None:
        """Begin to record messages; each must reach the clients that the trial's reached."""
        self.trial = trial
        for sender in self.users.values():
            stream = f"{sender.room}/{sender.name}"
            for receiver in self.users.values():
                if receiver.room == sender.room:
                    self._add_member(stream, sender, receiver, trial.reach)

    def _add_member(self, stream: str, sender: StockUser, receiver: StockUser, to: Reach) -> None:
        own = sender is receiver
        if not own and to is Reach.SENDER:
            return
        member = self.ledger.add_user(receiver.name, stream)
        self._members[sender.number, receiver.number] = member
        self.ledger.record_joined(member, 0)
        if own and to is Reach.OTHERS:
            self.ledger.record_stopped_reading(member)

    def record_opened(self, client: int, at: float, recovered: bool = False) -> None:
        """Record that a client has a connection that it can use."""
        user = self.users[client]
        user.opened += 1
        self.tally.reconnects += user.opened > 1
        self.tally.recovered += recovered
        user.timeline.record_restored(at, SERVED, "")

    def record_closed(self, client: int, at: float, code: int | None, reason: str) -> None:
        """Record that a client's connection ended."""
        user = self.users[client]
        if self._ending or not user.timeline.connected:
            return
        user.timeline.record_lost(at, code)
        word = str(code) if code not in (None, 1006) else reason or "no close frame"
        self.tally.closes[word] = self.tally.closes.get(word, 0) + 1

    def record_failed(self, client: int, at: float, outcome: str, detail: str) -> None:
        """Record that a client could not connect."""
        known = outcome in ProbeOutcome.__members__
        failure = ProbeOutcome[outcome] if known else ProbeOutcome.TURNED_AWAY
        self.users[client].attempts.append(Probe(at, failure, detail))

    def record_sent(self, client: int, at: float, n: int) -> None:
        """Record that a client is sending a message."""
        self.ledger.record_sent(self._own(client), n, make_id(self.run, client, n), at)
        for receiver, got_at, is_history in self._early.pop((client, n), ()):
            self._deliver(receiver, got_at, client, n, is_history=is_history)

    def record_taken(self, client: int, n: int) -> None:
        """Record that the library accepted a message: from now on it must arrive."""
        self.ledger.record_ack(self._own(client), n, n)

    def record_refused(self, client: int) -> None:
        """Record that the library refused a message: it may arrive or not."""
        self.tally.refused += 1
        self.ledger.forgive_unacked(self._own(client))

    def record_acknowledged(self, client: int, n: int, text: str) -> None:
        """Record that the application acknowledged a message."""
        if n == 0:
            self.trial_acks.add(text)
        else:
            self.tally.acknowledged += 1

    def record_frame(self, client: int, at: float, frame: str) -> None:
        """Record a frame that a client got."""
        found = find_ids(self.run, frame)
        if not found:
            self.samples = [*self.samples, frame][:MAX_SAMPLES]
        if self.trial is None or (len(found) == 1 and found[0].n == 0):
            for one in found:
                frames = self.trial_frames.setdefault(one.text, [])
                frames.append((client, frame, shape_of(frame, one)))
            return
        several = len(found) > 1
        if not several and found and shape_of(frame, found[0]) in self.trial.replies:
            return
        for one in found:
            if one.n > 0:
                self._deliver(client, at, one.client, one.n, is_history=several)

    def record_document(self, reader: str, room: str, digest: str) -> None:
        """Record the digest of the document of a room, as a client has it at the end."""
        self._documents.setdefault(room, {})[reader] = digest

    def record_removal(self, count: int) -> None:
        """Record that a client saw others leave a document."""
        if not self._ending:
            self.tally.removals += count

    def end(self) -> None:
        """Record that clients close their connections from now on."""
        self._ending = True

    def count_unsent(self) -> int:
        """Return how many deliveries were of messages that no client reports to have sent."""
        return sum(len(early) for early in self._early.values())

    def differing_rooms(self) -> tuple[str, ...]:
        """Return the rooms in which not all have the same document."""
        return tuple(
            room for room, found in self._documents.items() if len(set(found.values())) > 1
        )

    def connected(self) -> int:
        """Return how many clients have a connection."""
        return sum(user.timeline.connected for user in self.users.values())

    def everything_delivered(self) -> bool:
        """True if every message has reached all that it must reach."""
        return self.ledger.everything_delivered()

    def _own(self, client: int) -> int:
        return self._members[client, client]

    def _deliver(self, receiver: int, at: float, sender: int, n: int, *, is_history: bool) -> None:
        self.last_delivery = at
        member = self._members.get((sender, receiver))
        if member is None or not self.ledger.members[member].reads:
            self.ledger.foreign += 1
            return
        index = self._index_of(sender, n)
        if index is None:
            # Its sender is in another process, whose report is not here yet.
            early = self._early.setdefault((sender, n), [])
            early.append((receiver, at, is_history))
            return
        reader = self.ledger.members[member]
        if is_history and reader.has_ever(index):
            return  # A list of earlier messages repeats what this client has.
        if is_history and n <= reader.last_seq:
            reader.record(index, n, in_place=False)
            return
        text = make_id(self.run, sender, n)
        self.ledger.record_delivery(member, n, self.users[sender].name, n, text, at)

    def _index_of(self, sender: int, n: int) -> int | None:
        sent = self.ledger.members[self._own(sender)].sent
        return sent[n - 1] if n <= len(sent) else None
