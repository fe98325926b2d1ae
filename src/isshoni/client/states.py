"""The states of a client's connections, and the one table of their transitions.

Pure: no sockets, timers or clocks. `Lifeline` carries out the effects. The TypeScript client has
the same table, and both pass tests/vectors/connections.json. A connection is its number.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Idle:
    """Nothing was asked for yet."""


@dataclass(frozen=True)
class Opening:
    """There is no connection; `next` is being opened."""

    next: int


@dataclass(frozen=True)
class Waiting:
    """There is no connection, and a pause before the next one is opened."""


@dataclass(frozen=True)
class Live:
    """`current` is open and restored."""

    current: int


@dataclass(frozen=True)
class Moving:
    """`next` is being opened, with a ticket for `to`, while `current` is in use."""

    current: int
    next: int
    to: str


@dataclass(frozen=True)
class Stranded:
    """The connection in use was lost during a move: `next` becomes the return if it is soon."""

    next: int


@dataclass(frozen=True)
class Refused:
    """The server said: do not come back."""


State = Idle | Opening | Waiting | Live | Moving | Stranded | Refused


@dataclass(frozen=True)
class Open:
    """Open a connection, at first or after a pause; it gets the number `new`."""

    new: int


@dataclass(frozen=True)
class Migrate:
    """The server asks to move to `to`; a connection that this needs gets the number `new`."""

    to: str
    new: int


@dataclass(frozen=True)
class Restored:
    """The restore of a connection was answered."""

    connection: int


@dataclass(frozen=True)
class Lost:
    """A connection ended; `comes_back` is False if the server forbids to come back."""

    connection: int
    comes_back: bool


@dataclass(frozen=True)
class Overdue:
    """The time for a move that became the return is over."""


Event = Open | Migrate | Restored | Lost | Overdue


@dataclass(frozen=True)
class Effect:
    """What the client must do; `connection` and `to` say with which."""

    do: Literal["connect", "release", "wait", "hurry", "report"]
    connection: int | None = None
    to: str | None = None
    report: Literal["restored", "moved", "lost", "refused", "move_failed"] | None = None


Step = tuple[State, tuple[Effect, ...]]
_WAIT = Effect("wait")


def step(state: State, event: Event) -> Step:
    """Return the state after an event, and the effects in their order.

    What is not listed changes nothing: a late event of a connection that was replaced.
    """
    match state, event:
        case (Idle() | Waiting(), Open(new)):
            return Opening(new), (Effect("connect", new),)
        case (Opening(next) | Stranded(next), Restored(connection)) if connection == next:
            return Live(next), (_report("restored", next),)
        case (Moving(current, next), Restored(connection)) if connection == next:
            return Live(next), (_report("moved", next), Effect("release", current))
        case (Live(current), Migrate(to, new)):
            return Moving(current, new, to), (Effect("connect", new, to),)
        # The server's latest word counts; asked again for the same, the move just continues.
        case (Moving(current, next, before), Migrate(to, new)) if to != before:
            replace = (Effect("release", next), Effect("connect", new, to))
            return Moving(current, new, to), replace
        case (_, Lost()):
            return _lose(state, event)
        case (Stranded(next), Overdue()):
            return Waiting(), (Effect("release", next), _WAIT)
    return state, ()


def _lose(state: State, event: Lost) -> Step:
    lost = event.connection
    match state, event.comes_back:
        case (Opening(next), True) if lost == next:
            return Waiting(), (_WAIT,)
        case (Opening(next), False) if lost == next:
            return Refused(), (_report("refused", lost),)
        # A move that failed, for whatever reason, leaves the client where it is.
        case (Moving(current, next), _) if lost == next:
            return Live(current), (_report("move_failed", lost),)
        case (Stranded(next), _) if lost == next:
            return Waiting(), (_WAIT,)
        case (Live(current), True) if lost == current:
            return Waiting(), (_report("lost", lost), _WAIT)
        case (Live(current), False) if lost == current:
            return Refused(), (_report("lost", lost), _report("refused", lost))
        case (Moving(current, next), True) if lost == current:
            return Stranded(next), (_report("lost", lost), Effect("hurry"))
        case (Moving(current, next), False) if lost == current:
            gone = (_report("lost", lost), Effect("release", next), _report("refused", lost))
            return Refused(), gone
    return state, ()


def _report(
    report: Literal["restored", "moved", "lost", "refused", "move_failed"], connection: int
) -> Effect:
    return Effect("report", connection, report=report)
