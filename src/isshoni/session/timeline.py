"""Deliver each chat event to a client once, in order, from any of its connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from isshoni.session.messages import Position


class HasSeq(Protocol):
    """An event with a seq."""

    @property
    def seq(self) -> int:
        """The place in the log."""


EventT = TypeVar("EventT", bound=HasSeq)


@dataclass(frozen=True)
class Hole:
    """A run of messages that the client did not receive, both ends included."""

    first: int
    last: int


@dataclass(frozen=True)
class Delivery(Generic[EventT]):
    """The result of one frame."""

    events: tuple[EventT, ...] = ()
    """New events, in order."""
    holes: tuple[Hole, ...] = ()
    """The messages missing before or between them."""
    restarted: bool = False
    """True if the log was replaced or lost its end: earlier events must be dropped."""
    is_behind: bool = False
    """True if a live event was shown that the answer to a restore stops short of: ask again."""


class Timeline(Generic[EventT]):
    """One client's place in the session's log, kept across its connections.

    A live event beyond the next one is not delivered: the hole is reported, and the
    caller restores again from `position`, which brings that event once more. A hole
    in the history of a restore is final: it is reported, and skipped.

    The answer may have been made before that event, or before others that came while it was under
    way. If no event follows, no hole would ever show them: the answer is then `is_behind`.
    """

    def __init__(self) -> None:
        self._position: Position | None = None
        self._greatest_held_back = 0
        """The greatest seq of the live events that were not delivered since the last answer."""

    @property
    def position(self) -> Position | None:
        """The last message delivered; None before the first restore."""
        return self._position

    def restore(
        self,
        asked: Position | None,
        mode: Literal["replay", "full"],
        stand: Position,
        history: Sequence[EventT],
    ) -> Delivery[EventT]:
        """Handle `session_restored`, the answer to a restore from `asked`.

        `stand` is the answer's position. By the time it comes, another connection may
        have delivered more than `asked`; those events are not delivered again.
        """
        held = self._position
        restarted = held is not None and _is_other_log(held, asked, mode, stand)
        if held is None or restarted:
            events, holes, last = _take_in_order(history, None)
        else:
            events, holes, last = _take_in_order(history, held.seq)
        if last is not None and stand.seq > last and (history or mode == "replay" or held):
            holes.append(Hole(last + 1, stand.seq))
        self._position = Position(stand.epoch, max(last or 0, stand.seq))
        same_log = held is not None and held.epoch == stand.epoch
        is_behind = same_log and self._greatest_held_back > self._position.seq
        self._greatest_held_back = 0  # A seq that the log never has is asked for once.
        return Delivery(tuple(events), tuple(holes), restarted, is_behind)

    def receive(self, epoch: str, event: EventT) -> Delivery[EventT]:
        """Handle a live event of a connection that was restored in log `epoch`."""
        held = self._position
        if held is None or epoch != held.epoch or event.seq <= held.seq:
            return Delivery()
        if event.seq > held.seq + 1:
            self._greatest_held_back = max(self._greatest_held_back, event.seq)
            return Delivery(holes=(Hole(held.seq + 1, event.seq - 1),))
        self._position = Position(epoch, event.seq)
        return Delivery(events=(event,))


def _is_other_log(
    held: Position, asked: Position | None, mode: Literal["replay", "full"], stand: Position
) -> bool:
    if stand.epoch != held.epoch:
        return True
    lost_its_end = asked is not None and stand.seq < asked.seq
    return mode == "full" and lost_its_end


def _take_in_order(
    history: Sequence[EventT], last: int | None
) -> tuple[list[EventT], list[Hole], int | None]:
    events: list[EventT] = []
    holes: list[Hole] = []
    for event in sorted(history, key=lambda event: event.seq):
        if last is not None and event.seq <= last:
            continue
        if last is not None and event.seq > last + 1:
            holes.append(Hole(last + 1, event.seq - 1))
        events.append(event)
        last = event.seq
    return events, holes, last
