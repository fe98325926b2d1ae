"""What can happen to a connection on the server, and what is to be done about it."""

from dataclasses import dataclass

from isshoni.session.close_codes import CloseCode

# Events


@dataclass(frozen=True, slots=True)
class TextReceived:
    """The client's first text frame has arrived."""


@dataclass(frozen=True, slots=True)
class BinaryReceived:
    """The client's first binary frame has arrived."""


@dataclass(frozen=True, slots=True)
class RestoreAsked:
    """A restore begins."""

    can_replica: bool = False


@dataclass(frozen=True, slots=True)
class RestoreAnswered:
    """The answer to a restore is ready to be sent."""

    author: str
    generation: int = 0
    can_canvas: bool = False
    can_migrate: bool = False


@dataclass(frozen=True, slots=True)
class RestoreFailed:
    """A restore ends with an error; the client may ask again."""


@dataclass(frozen=True, slots=True)
class FinishAsked:
    """Close once what has arrived is handled and written."""

    code: CloseCode
    frame_in_hand: bool = False


@dataclass(frozen=True, slots=True)
class FrameTaken:
    """While finishing: one more frame was received."""


@dataclass(frozen=True, slots=True)
class AllRead:
    """While finishing: no frame is waiting to be read, and none is being handled."""


@dataclass(frozen=True, slots=True)
class WritesSettled:
    """While finishing: every write has its answer."""


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """Close now; `discard` drops the frames that are queued."""

    code: CloseCode
    discard: bool = False


@dataclass(frozen=True, slots=True)
class CloseTimedOut:
    """The client had its time to answer the close frame."""


@dataclass(frozen=True, slots=True)
class ClientLeft:
    """The WebSocket has ended with this close code."""

    code: int | None = None


@dataclass(frozen=True, slots=True)
class ReadingStopped:
    """Nothing reads this connection any more, whatever the reason."""


Event = (
    TextReceived
    | BinaryReceived
    | RestoreAsked
    | RestoreAnswered
    | RestoreFailed
    | FinishAsked
    | FrameTaken
    | AllRead
    | WritesSettled
    | CloseAsked
    | CloseTimedOut
    | ClientLeft
    | ReadingStopped
)


# Effects


@dataclass(frozen=True, slots=True)
class SendClose:
    """Send the close frame behind what is queued, or instead of it."""

    code: CloseCode
    discard: bool = False


@dataclass(frozen=True, slots=True)
class StartCloseTimer:
    """Report `CloseTimedOut` when the time to answer the close frame is over."""


@dataclass(frozen=True, slots=True)
class AcceptAnyRate:
    """Refuse no frame for its rate from now on: it arrived before the end."""


@dataclass(frozen=True, slots=True)
class CancelReading:
    """Cancel the task that reads the connection."""


@dataclass(frozen=True, slots=True)
class StopSending:
    """Drop what is queued: nothing can be sent any more."""


Effect = SendClose | StartCloseTimer | AcceptAnyRate | CancelReading | StopSending
