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


class Timeline(Generic[EventT]):
    """One client's place in the session's log, kept across its connections.

    A live event beyond the next one is not delivered: the hole is reported, and the
    caller restores again from `position`, which brings that event once more. A hole
    in the history of a restore is final: it is reported, and skipped.
    """

    def __init__(self) -> None:
        self._position: Position | None = None

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
        return Delivery(tuple(events), tuple(holes), restarted)

    def receive(self, epoch: str, event: EventT) -> Delivery[EventT]:
        """Handle a live event of a connection that was restored in log `epoch`."""
        held = self._position
        if held is None or epoch != held.epoch or event.seq <= held.seq:
            return Delivery()
        if event.seq > held.seq + 1:
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
