"""Recordings as a perfect platform would make them, and faults to put into them."""

from dataclasses import dataclass, field

from isshoni.verify.ledger import Ledger

SESSION = "team"


@dataclass
class Event:
    """A chat message at its place in the log."""

    seq: int
    sender: int
    n: int
    text: str


@dataclass
class Recording:
    """What all users sent and got; change it, then `play` it into a ledger."""

    users: int
    log: list[Event]
    acked: set[int]
    """Places in `log` whose sender got the ack."""
    given: list[list[Event]] = field(default_factory=list)
    """For each user, what their application was given, in order."""

    @classmethod
    def perfect(cls, users: int, messages: int) -> "Recording":
        """Let `users` send in turn, and each get everything in order."""
        log = [
            Event(seq, (seq - 1) % users, (seq - 1) // users + 1, f"message {seq}")
            for seq in range(1, messages + 1)
        ]
        given = [list(log) for _ in range(users)]
        return cls(users, log, set(range(messages)), given)

    def play(self) -> Ledger:
        """Write it all into a ledger."""
        ledger = Ledger()
        for user in range(self.users):
            ledger.add_user(f"c-{user}", SESSION)
            ledger.record_joined(user, 0)
        for event in self.log:
            ledger.record_sent(event.sender, event.n, event.text, at=float(event.seq))
        for place, event in enumerate(self.log):
            if place in self.acked:
                ledger.record_ack(event.sender, event.n, event.seq)
        for user, events in enumerate(self.given):
            for event in events:
                sender = f"c-{event.sender}"
                at = event.seq + 0.002
                ledger.record_delivery(user, event.seq, sender, event.n, event.text, at)
        return ledger
