"""What the chat ledger proves: how many messages were lost, doubled, reordered."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from isshoni.verify.ledger import UNKNOWN, EpochLog, Ledger, Member, SessionBook
from isshoni.verify.wire import WireFaults


@dataclass(frozen=True)
class ChatFindings:
    """Counts of messages, each counted once however many users were hit."""

    sent: int
    """Without messages that were unacknowledged when their sender ended."""
    acked: int
    delivered: int
    """Deliveries: each message to each user."""
    lost: int
    """Acknowledged, and not delivered to a user of the session, or not in its log."""
    doubled: int
    """Given to an application twice, or at two places in the log."""
    reordered: int
    """Late for a user, before an older one of its sender, or where others saw another."""
    foreign: int
    """Deliveries of a text, sender or number that no synthetic user sent like that.

    And messages that came without what they are about, though every server stores that.
    """
    wire: WireFaults


def judge(ledger: Ledger) -> ChatFindings:
    """Compare what was acknowledged with what every user and the log has."""
    lost: set[int] = set()
    reordered, doubled = set(ledger.reordered), set(ledger.doubled)
    for book in ledger.sessions.values():
        places = AckedPlaces(ledger, book)
        for user in book.members:
            lost |= _missing_at(ledger.members[user], places)
        lost |= _missing_in_log(book, places)
        # Of an epoch that ended only what came of it counts: its log may have forked, so that
        # users were shown different messages at one seq.
        newest = book.log_of(book.epoch)
        doubled |= newest.doubled
        reordered |= _out_of_sender_order(ledger, newest).union(*newest.contested.values())
        reordered |= set(_acked_elsewhere(ledger, book, newest, places.acked)) - doubled
    return ChatFindings(
        sent=len(ledger.messages) - ledger.forgiven,
        acked=ledger.acked,
        delivered=len(ledger.latency),
        lost=len(lost),
        doubled=len(doubled),
        reordered=len(reordered),
        foreign=ledger.foreign + (0 if ledger.has_older_server else len(ledger.plain)),
        wire=ledger.wire_faults(),
    )


class AckedPlaces:
    """The acknowledged messages of a session, by their places in each epoch of its log."""

    def __init__(self, ledger: Ledger, book: SessionBook) -> None:
        sent = (index for user in book.members for index in ledger.members[user].sent)
        self.acked = {index for index in sent if ledger.messages[index].acked}
        self.nowhere = set(self.acked)
        """Messages without a known place."""
        self._in_epoch: dict[str, list[tuple[int, int]]] = {}
        """Epoch → (seq, index), in order; the oldest epoch first."""
        self._new_in: dict[str, set[int]] = {}
        """Epoch → messages that no earlier epoch had."""
        self._forked_at: dict[str, int | None] = {}
        """Epoch → the first seq that two messages had; None if there is none."""
        self._newest = book.epoch
        for epoch, log in book.logs.items():
            placed = dict(self._find_places(ledger, epoch, log))
            self._in_epoch[epoch] = sorted((seq, index) for index, seq in placed.items())
            seqs = Counter(placed.values())
            contested = log.contested.keys() | {seq for seq, count in seqs.items() if count > 1}
            self._forked_at[epoch] = min(contested, default=None)
            self._new_in[epoch] = self.nowhere & placed.keys()
            self.nowhere -= placed.keys()

    def between(self, epoch: str, first: int, last: int | None = None) -> set[int]:
        """Return the messages with seqs from `first` to `last` (None: the end) in an epoch."""
        places = self._in_epoch.get(epoch, [])
        end = len(places) if last is None else bisect_left(places, (last + 1,))
        return {index for _, index in places[bisect_left(places, (first,)) : end]}

    def after(self, epoch: str, seq: int) -> set[int]:
        """Return the messages after `seq` in an epoch, and all that only later epochs have."""
        epochs = list(self._in_epoch)
        later = epochs[epochs.index(epoch) + 1 :] if epoch in epochs else []
        return self.between(epoch, seq + 1).union(*(self._new_in[name] for name in later))

    def shown_to(self, member: Member, *, after: int = 0) -> set[int]:
        """Return the messages after a seq up to the last one that a user was given in its epoch.

        Where the log of an epoch that ended had forked, users were shown one branch only.
        """
        last, forked_at = member.last_seq, self._forked_at.get(member.epoch)
        if forked_at is not None and member.epoch != self._newest:
            last = min(last, forked_at - 1)
        return self.between(member.epoch, after + 1, last)

    def _find_places(self, ledger: Ledger, epoch: str, log: EpochLog) -> Iterator[tuple[int, int]]:
        for index in self.acked:
            message = ledger.messages[index]
            if index in log.place_of:
                yield index, log.place_of[index]
            elif message.acked_seq != UNKNOWN and message.acked_epoch == epoch:
                yield index, message.acked_seq


def _missing_at(member: Member, places: AckedPlaces) -> set[int]:
    """Return the messages that a user should have received since joining, but did not."""
    if member.joined_seq is None:
        return set()
    if member.reads:
        owed = places.after(member.joined_epoch, member.joined_seq) | places.nowhere
    elif member.epoch == member.joined_epoch:
        owed = places.shown_to(member, after=member.joined_seq)
    else:
        owed = places.shown_to(member) & places.after(member.joined_epoch, member.joined_seq)
    missing = {index for index in owed if not member.has_ever(index)}
    return missing | _missing_since_restart(member, places)


def _missing_since_restart(member: Member, places: AckedPlaces) -> set[int]:
    """Return the messages that a log that began again skipped for a user, seen before or not."""
    if member.epoch == member.joined_epoch:
        return set()
    if member.reads:
        owed = places.between(member.epoch, member.first_seq)
    else:
        owed = places.shown_to(member, after=member.first_seq - 1)
    return {index for index in owed if not member.has_now(index)}


def _missing_in_log(book: SessionBook, places: AckedPlaces) -> set[int]:
    """Return what a fresh reader at the end should have been shown, but was not.

    The history that a newcomer is given is bounded, so what is older than its first message
    is not known. In another epoch messages keep their seqs or are appended: one that should be
    at a seq that users were shown in the final epoch, and is at none of them, is lost.
    """
    final = book.final
    if final is None:
        return set()
    missing = places.acked - final.messages
    missing -= places.between(final.epoch, 1, final.first_seq - 1)
    if final.first_seq == 1:
        return missing
    seen = book.logs.get(final.epoch, EpochLog()).message_at
    first_seen = min(seen, default=1)
    placed = places.between(final.epoch, 1)
    for epoch in book.logs:
        missing -= places.between(epoch, 1, first_seen - 1) - placed
    return missing


def _out_of_sender_order(ledger: Ledger, log: EpochLog) -> set[int]:
    """Return messages that are in the log after a later one of the same sender."""
    late: set[int] = set()
    last_index: dict[int, int] = {}
    """The last index of each sender; indexes are in the order of typing."""
    for seq in sorted(log.message_at):
        index = log.message_at[seq]
        if log.place_of.get(index) != seq:
            continue  # its second place: that is a double
        sender = ledger.messages[index].sender
        if index < last_index.get(sender, 0):
            late.add(index)
        last_index[sender] = max(index, last_index.get(sender, 0))
    return late


def _acked_elsewhere(
    ledger: Ledger, book: SessionBook, log: EpochLog, acked: set[int]
) -> Iterator[int]:
    """Yield messages that the newest log has elsewhere than where they were acknowledged."""
    for index in acked:
        message, place = ledger.messages[index], log.place_of.get(index, UNKNOWN)
        same_epoch = message.acked_epoch == book.epoch
        if same_epoch and UNKNOWN not in (message.acked_seq, place) and message.acked_seq != place:
            yield index
