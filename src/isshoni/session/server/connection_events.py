"""The events of a connection on the server, and the effects that they can have."""

import msgspec

from isshoni.session.close_codes import CloseCode

# Events


class TextReceived(msgspec.Struct, frozen=True, gc=False):
    """The client's first text frame has arrived."""


class BinaryReceived(msgspec.Struct, frozen=True, gc=False):
    """The client's first binary frame has arrived."""


class RestoreAsked(msgspec.Struct, frozen=True, gc=False):
    """A restore begins."""

    can_replica: bool = False


class RestoreAnswered(msgspec.Struct, frozen=True, gc=False):
    """The answer to a restore is ready to be sent."""

    author: str
    generation: int = 0
    can_canvas: bool = False
    can_migrate: bool = False
    can_batch: bool = False
    can_regions: bool = False


class RestoreFailed(msgspec.Struct, frozen=True, gc=False):
    """A restore ends with an error; the client may ask again."""


class FinishAsked(msgspec.Struct, frozen=True, gc=False):
    """Close once every frame that has arrived is handled and every write answered."""

    code: CloseCode
    frame_in_hand: bool = False


class FrameReceived(msgspec.Struct, frozen=True, gc=False):
    """While finishing: one more frame was received."""


class AllRead(msgspec.Struct, frozen=True, gc=False):
    """While finishing: no frame is waiting to be read, and none is being handled."""


class WritesSettled(msgspec.Struct, frozen=True, gc=False):
    """While finishing: every write has its answer."""


class CloseAsked(msgspec.Struct, frozen=True, gc=False):
    """Close now; `discard` drops the frames that are queued."""

    code: CloseCode
    discard: bool = False


class CloseTimedOut(msgspec.Struct, frozen=True, gc=False):
    """The client did not answer the close frame in time."""


class ClientLeft(msgspec.Struct, frozen=True, gc=False):
    """The WebSocket has ended with this close code."""

    code: int | None = None


class ReadingStopped(msgspec.Struct, frozen=True, gc=False):
    """Nothing reads this connection any more, whatever the reason."""


Event = (
    TextReceived
    | BinaryReceived
    | RestoreAsked
    | RestoreAnswered
    | RestoreFailed
    | FinishAsked
    | FrameReceived
    | AllRead
    | WritesSettled
    | CloseAsked
    | CloseTimedOut
    | ClientLeft
    | ReadingStopped
)


# Effects


class SendClose(msgspec.Struct, frozen=True, gc=False):
    """Send the close frame after the queued frames, or discard them."""

    code: CloseCode
    discard: bool = False


class StartCloseTimer(msgspec.Struct, frozen=True, gc=False):
    """Report `CloseTimedOut` when the time to answer the close frame is over."""


class AcceptAnyRate(msgspec.Struct, frozen=True, gc=False):
    """Stop refusing frames for their rate: they arrived before the close."""


class CancelReading(msgspec.Struct, frozen=True, gc=False):
    """Cancel the task that reads the connection."""


class StopSending(msgspec.Struct, frozen=True, gc=False):
    """Drop what is queued: nothing can be sent any more."""


Effect = SendClose | StartCloseTimer | AcceptAnyRate | CancelReading | StopSending
