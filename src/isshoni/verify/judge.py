"""What the chat ledger proves: how many messages were lost, doubled, reordered."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from isshoni.verify.ledger import UNKNOWN, Ledger, Member, Message, SessionBook
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
    """Acknowledged, and not delivered to somebody in the session, or not in its log."""
    doubled: int
    """Given to an application twice, or at two places in the log."""
    reordered: int
    """Late for somebody, before an older one of its sender, or where others saw another."""
    foreign: int
    """Deliveries of a text, sender or number that no synthetic user sent like that."""
    wire: WireFaults


def judge(ledger: Ledger) -> ChatFindings:
    """Hold what was acknowledged against what everybody got."""
    lost: set[int] = set()
    reordered = set(ledger.reordered)
    for book in ledger.sessions.values():
        acked = _acked_messages(ledger, book)
        by_place = sorted((_place(ledger.messages[index]), index) for index in acked)
        for user in book.members:
            lost |= _missing_at(ledger.members[user], by_place)
        lost |= _missing_in_log(ledger, book, acked)
        reordered |= _out_of_sender_order(ledger, book)
    reordered |= _acked_elsewhere(ledger)
    return ChatFindings(
        sent=len(ledger.messages) - ledger.forgiven,
        acked=ledger.acked,
        delivered=len(ledger.latency),
        lost=len(lost),
        doubled=len(ledger.doubled),
        reordered=len(reordered),
        foreign=ledger.foreign,
        wire=ledger.wire_faults(),
    )


def _acked_messages(ledger: Ledger, book: SessionBook) -> set[int]:
    sent = (index for user in book.members for index in ledger.members[user].sent)
    return {index for index in sent if ledger.messages[index].acked}


def _missing_at(member: Member, by_place: Sequence[tuple[int, int]]) -> set[int]:
    """Return the messages that a user should have received since joining, but did not.

    `by_place` are the acknowledged messages of the session: (place in the log, index).
    """
    if member.joined_seq is None:
        return set()
    nowhere = bisect_left(by_place, (UNKNOWN + 1,))
    first = max(nowhere, bisect_left(by_place, (member.joined_seq + 1,)))
    last = len(by_place) if member.reads else bisect_left(by_place, (member.last_seq + 1,))
    owed = {index for _, index in by_place[first:last]}
    if member.reads:
        owed |= {index for _, index in by_place[:nowhere]}
    return owed.difference(member.received)


def _missing_in_log(ledger: Ledger, book: SessionBook, acked: set[int]) -> set[int]:
    """Find what a fresh reader at the end should have been shown, and was not.

    The history given to a newcomer is bounded: what is older than its first
    message cannot be told.
    """
    final = book.final
    if final is None:
        return set()
    missing = acked - final.messages
    return {index for index in missing if not 0 < _place(ledger.messages[index]) < final.first_seq}


def _out_of_sender_order(ledger: Ledger, book: SessionBook) -> set[int]:
    """Find messages that stand in the log after a later one of the same sender."""
    late: set[int] = set()
    last_index: dict[int, int] = {}
    """The last index of each sender; indexes are in the order of typing."""
    for seq in sorted(book.message_at):
        index = book.message_at[seq]
        message = ledger.messages[index]
        if message.seq != seq:
            continue  # its second place: that is a double
        if index < last_index.get(message.sender, 0):
            late.add(index)
        last_index[message.sender] = max(index, last_index.get(message.sender, 0))
    return late


def _acked_elsewhere(ledger: Ledger) -> set[int]:
    """Find messages that were acknowledged at one place and delivered at another."""
    return {
        index
        for index, message in enumerate(ledger.messages)
        if UNKNOWN not in (message.acked_seq, message.seq)
        and message.acked_seq != message.seq
        and index not in ledger.doubled
    }


def _place(message: Message) -> int:
    return message.seq or message.acked_seq
