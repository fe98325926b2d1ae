"""The states of one connection on the server, and the only transitions between them.

Pure: from a state and an event follow the next state and the effects to run. An event that makes no
sense in a state raises `IllegalEvent` and changes nothing. `backend/live/connection.py` runs the
effects; messages, rights and rates are checked elsewhere.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import replace

from isshoni.session.close_codes import CloseCode
from isshoni.session.server.connection_events import (
    AcceptAnyRate,
    AllRead,
    BinaryReceived,
    CancelReading,
    ClientLeft,
    CloseAsked,
    CloseTimedOut,
    Effect,
    Event,
    FinishAsked,
    FrameReceived,
    ReadingStopped,
    RestoreAnswered,
    RestoreAsked,
    RestoreFailed,
    SendClose,
    StartCloseTimer,
    StopSending,
    TextReceived,
    WritesSettled,
)


class Client(msgspec.Struct, frozen=True, gc=False):
    """The facts that the server knows about the client of one connection."""

    speaks_json: bool = False
    """True once it has sent a text frame; before, no text frame is sent to it."""
    takes_canvas: bool = False
    """True once it has sent a binary frame; from then on it is sent those of others."""
    takes_chat: bool = False
    """True once it has restored the session; from then on it is sent chat events."""
    can_canvas: bool = False
    """True if it reads the canvas as Yjs frames, and understands `saved`."""
    can_migrate: bool = False
    can_replica: bool = False
    can_batch: bool = False
    """True if it accepts several chat events in one frame."""
    can_regions: bool = False
    """True if it can move to the address of another region."""
    author: str = ""
    """The key that its messages are stored under; empty before its restore."""
    generation: int = 0

    @property
    def takes_elements(self) -> bool:
        """True if the client reads the canvas as JSON."""
        return self.takes_chat and not self.can_canvas


# States


class Connecting(msgspec.Struct, frozen=True, gc=False):
    """Not restored: the client has sent nothing yet, or Yjs frames only."""

    client: Client = Client()


class Restoring(msgspec.Struct, frozen=True, gc=False):
    """A restore is being answered; no other frame is read until it is."""

    client: Client


class Restored(msgspec.Struct, frozen=True, gc=False):
    """The client has restored, and is sent later events."""

    client: Client


class Finishing(msgspec.Struct, frozen=True, gc=False):
    """To be closed once every frame that has arrived is handled and every write answered."""

    open: Connecting | Restoring | Restored
    code: CloseCode
    frame_in_hand: bool
    """A frame was received and is not handled yet."""

    @property
    def client(self) -> Client:
        """The facts known about the client."""
        return self.open.client


class Closing(msgspec.Struct, frozen=True, gc=False):
    """The close frame is sent or queued; what the client still sends is dropped."""

    client: Client
    code: CloseCode


class Ending(Enum):
    """How a connection ended."""

    GOODBYE = "goodbye"
    """The client closed with 1000: it has moved, or has announced that it leaves."""
    LEFT = "left"
    ABANDONED = "abandoned"
    """The client did not read the close frame in time."""
    STOPPED = "stopped"
    """A fault, or the end of the process, stopped the reading."""


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The WebSocket has ended."""

    client: Client
    ending: Ending


Open = Connecting | Restoring | Restored
State = Open | Finishing | Closing | Closed

Next = tuple[State, tuple[Effect, ...]]


class IllegalEvent(Exception):
    """An event that cannot happen in this state; the state is unchanged."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{type(event).__name__} cannot happen while {type(state).__name__}")
        self.state = state
        self.event = event


def transition(state: State, event: Event) -> Next:
    """Return the next state and the effects of an event; raises `IllegalEvent`."""
    step = _TABLE.get((type(state), type(event)))
    if step is None:
        raise IllegalEvent(state, event)
    return step(state, event)


# What each transition does


def _stay(state: State, _event: Event) -> Next:
    return state, ()


def _mark_json(state: Connecting | Restored, _event: TextReceived) -> Next:
    return replace(state, client=replace(state.client, speaks_json=True)), ()


def _mark_canvas(state: Connecting | Restored, _event: BinaryReceived) -> Next:
    return replace(state, client=replace(state.client, takes_canvas=True)), ()


def _begin_restore(state: Connecting | Restored, event: RestoreAsked) -> Next:
    return Restoring(replace(state.client, can_replica=event.can_replica)), ()


def _end_restore(state: Restoring, event: RestoreAnswered) -> Next:
    client = replace(
        state.client,
        takes_chat=True,
        can_canvas=event.can_canvas,
        can_migrate=event.can_migrate,
        can_batch=event.can_batch,
        can_regions=event.can_regions,
        author=event.author,
        generation=event.generation,
    )
    return Restored(client), ()


def _fail_restore(state: Restoring, _event: RestoreFailed) -> Next:
    client = state.client
    return Restored(client) if client.takes_chat else Connecting(client), ()


def _finish(state: Open, event: FinishAsked) -> Next:
    return Finishing(state, event.code, event.frame_in_hand), (AcceptAnyRate(),)


def _pass_on(state: Finishing, event: Event) -> Next:
    """Handle an event of a frame that arrived in time, as before `finish` was called."""
    after, effects = transition(state.open, event)
    assert isinstance(after, Open)
    return replace(state, open=after), effects


def _receive_frame(state: Finishing, _event: FrameReceived) -> Next:
    return replace(state, frame_in_hand=True), ()


def _all_read(state: Finishing, _event: AllRead) -> Next:
    return replace(state, frame_in_hand=False), ()


def _close_if_handled(state: Finishing, _event: WritesSettled) -> Next:
    # A frame in hand may still issue a write, which is then waited for too.
    return (state, ()) if state.frame_in_hand else _close(state, CloseAsked(state.code))


def _close(state: Open | Finishing, event: CloseAsked) -> Next:
    effects = (SendClose(event.code, event.discard), StartCloseTimer())
    return Closing(state.client, event.code), effects


def _abandon(state: Closing, _event: CloseTimedOut) -> Next:
    return Closed(state.client, Ending.ABANDONED), (CancelReading(), StopSending())


def _leave(state: Open | Finishing | Closing, event: ClientLeft) -> Next:
    ending = Ending.GOODBYE if event.code == CloseCode.NORMAL else Ending.LEFT
    return Closed(state.client, ending), (StopSending(),)


def _stop(state: Open | Finishing | Closing, _event: ReadingStopped) -> Next:
    return Closed(state.client, Ending.STOPPED), (StopSending(),)


_Step = Callable[[Any, Any], Next]

_ROWS: dict[type[State], dict[type[Event], _Step]] = {
    Connecting: {
        TextReceived: _mark_json,
        BinaryReceived: _mark_canvas,
        RestoreAsked: _begin_restore,
        FinishAsked: _finish,
        CloseAsked: _close,
        ClientLeft: _leave,
        ReadingStopped: _stop,
    },
    Restoring: {
        RestoreAnswered: _end_restore,
        RestoreFailed: _fail_restore,
        FinishAsked: _finish,
        CloseAsked: _close,
        ClientLeft: _leave,
        ReadingStopped: _stop,
    },
    Restored: {
        TextReceived: _mark_json,
        BinaryReceived: _mark_canvas,
        RestoreAsked: _begin_restore,
        FinishAsked: _finish,
        CloseAsked: _close,
        ClientLeft: _leave,
        ReadingStopped: _stop,
    },
    Finishing: {
        TextReceived: _pass_on,
        BinaryReceived: _pass_on,
        RestoreAsked: _pass_on,
        RestoreAnswered: _pass_on,
        RestoreFailed: _pass_on,
        FinishAsked: _stay,
        FrameReceived: _receive_frame,
        AllRead: _all_read,
        WritesSettled: _close_if_handled,
        CloseAsked: _close,
        ClientLeft: _leave,
        ReadingStopped: _stop,
    },
    # Work that was running at the end may still send events; they change nothing.
    Closing: {
        RestoreAnswered: _stay,
        RestoreFailed: _stay,
        FinishAsked: _stay,
        AllRead: _stay,
        WritesSettled: _stay,
        CloseAsked: _stay,
        CloseTimedOut: _abandon,
        ClientLeft: _leave,
        ReadingStopped: _stop,
    },
    Closed: {
        RestoreAnswered: _stay,
        RestoreFailed: _stay,
        FinishAsked: _stay,
        AllRead: _stay,
        WritesSettled: _stay,
        CloseAsked: _stay,
        CloseTimedOut: _stay,
        ClientLeft: _stay,
        ReadingStopped: _stay,
    },
}
_TABLE = {(state, event): step for state, row in _ROWS.items() for event, step in row.items()}
