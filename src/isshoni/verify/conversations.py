"""Compare what several readers make of one session's log: all must show the same."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from isshoni.session.conversation import Conversation, Message
from isshoni.session.from_server import ChatEvent

KEPT = 400
"""The last events of a reader that are compared."""
_PAGE = 50

Fold = Callable[[Sequence[ChatEvent]], list[Message]]


def fold_at_once(events: Sequence[ChatEvent]) -> list[Message]:
    """Return the messages that events make, given in one piece."""
    conversation = Conversation()
    conversation.add(events)
    return conversation.messages


def fold_backwards(events: Sequence[ChatEvent]) -> list[Message]:
    """Return the messages that events make, in pages from the newest on, as a page loads them."""
    conversation = Conversation()
    for end in range(len(events), 0, -_PAGE):
        conversation.add(events[max(0, end - _PAGE) : end])
        _ = conversation.messages
    return conversation.messages


@dataclass
class Given:
    """What one reader was given of a session's log."""

    epoch: str = ""
    events: deque[ChatEvent] = field(default_factory=lambda: deque(maxlen=KEPT))
    fold: Fold = fold_backwards


class Conversations:
    """The last events of some readers of each session."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, Given]] = {}

    def add_reader(self, session_id: str, reader: str, fold: Fold = fold_backwards) -> Given:
        """Return the record of a reader's events, to which the caller adds them."""
        readers = self._sessions.setdefault(session_id, {})
        given = readers[reader] = Given(fold=fold)
        return given

    def find_differences(self) -> list[str]:
        """Return a sentence for each session whose readers do not show the same."""
        return [
            f"The readers of session {session_id} show different conversations: {found}."
            for session_id, readers in self._sessions.items()
            if (found := next(_compare_all(readers), None)) is not None
        ]


def _compare_all(readers: dict[str, Given]) -> Iterator[str]:
    """Yield how two readers differ; those that have another log, or nothing of it, do not count."""
    read = [(name, given) for name, given in readers.items() if given.events]
    if not read:
        return
    name, first = read[-1]
    for other_name, other in read[:-1]:
        difference = _compare(first, other) if first.epoch == other.epoch else None
        if difference is not None:
            yield f"{name} and {other_name} differ at {difference}"


def _compare(one: Given, other: Given) -> str | None:
    """Return where two readers differ in the part of the log that both have; None if nowhere."""
    first = max(one.events[0].seq, other.events[0].seq)
    last = min(one.events[-1].seq, other.events[-1].seq)
    pairs = [
        given.fold([event for event in given.events if first <= event.seq <= last])
        for given in (one, other)
    ]
    if len(pairs[0]) != len(pairs[1]):
        return f"the number of messages, {len(pairs[0])} and {len(pairs[1])}"
    differing = (a.seq for a, b in zip(*pairs, strict=True) if a != b)
    seq = next(differing, None)
    return None if seq is None else f"seq {seq}"
