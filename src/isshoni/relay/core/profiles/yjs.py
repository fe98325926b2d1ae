"""Yjs: y-websocket and pycrdt-websocket (y-protocols: sync and awareness).

Updates may come twice and in any order, so documents need no comparison of messages: the
client's last step 1 is replayed, and the two step 2 that follow bring both sides everything.
Presence needs care: a program announces that a client has left when its connection closes.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from isshoni.relay.core.frames import BINARY, make_frame
from isshoni.relay.core.messages import Message
from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import (
    Announcement,
    encode_awareness_states,
    parse_awareness,
)
from isshoni.session.sync import AwarenessUpdate, SyncStep1, make_awareness, parse_y_frame
from isshoni.session.yjs_walk import BrokenUpdate

LEFT = b"null"
"""The state of a client that has left."""
KEEP_SECONDS = 3.0
"""How long the news that another client has left is kept back while clients move."""


@dataclass
class Moves:
    """When a client of this relay last moved; shared by the profiles of all its clients."""

    last_at: float = float("-inf")


class Yjs:
    """The presence and the last step 1 of one Yjs client.

    The client's own announcements get a higher clock with each move, or the other clients
    would believe the old program's news that it has left. Its own state, when it comes back
    to it, gets its own clock again.
    """

    __slots__ = ("_again", "_kept", "_moves", "_own", "_shift", "_step1")

    reads_client = reads_program = True
    is_busy = False
    has_joined = True
    can_move = True
    in_unit = False

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._step1: Message | None = None
        self._own: Announcement | None = None
        """What the client last announced of itself, with the clock that the programs know."""
        self._shift = 0
        self._kept: dict[int, tuple[int, float]] = {}
        """Of clients whose leaving is kept back: the clock, and until when."""
        self._again = False
        """True if the program believes that the client has left."""

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record step 1 and the client's own state; shift the clock of the latter."""
        frame = _parse(message)
        if isinstance(frame, SyncStep1):
            self._step1 = message
        elif isinstance(frame, list):
            return (_announce([self._shifted(one) for one in frame]),)
        return (message,)

    def _shifted(self, one: Announcement) -> Announcement:
        if self._own is None and one.state != LEFT:
            self._own = one  # a client announces itself first, before it passes on others
        if self._own is None or one.client != self._own.client:
            return one
        self._own = replace(one, clock=one.clock + self._shift)
        return self._own

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Keep back that clients have left while clients move; drop that this one has."""
        frame = _parse(message)
        if not isinstance(frame, list):
            return (message,)
        passed = [one for found in frame if (one := self._passed(found, now)) is not None]
        if passed == frame:
            return (message,)
        return (_announce(passed),) if passed else ()

    def _passed(self, one: Announcement, now: float) -> Announcement | None:
        own = self._own
        if own is not None and one.client == own.client:
            if one.state == LEFT and own.state != LEFT:
                self._again = self._again or one.clock >= own.clock
                return None
            shifted = one.clock - self._shift
            return replace(one, clock=shifted) if shifted >= 0 else None
        if one.state == LEFT and now - self._moves.last_at < KEEP_SECONDS:
            self._kept[one.client] = (one.clock, now + KEEP_SECONDS)
            return None
        kept = self._kept.get(one.client)
        if kept is not None and one.clock >= kept[0]:
            del self._kept[one.client]
        return one

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the client's last step 1: the new program answers with what it lacks."""
        return () if self._step1 is None else (self._step1,)

    def moved(self) -> Sequence[Message]:
        """Return nothing: the client does not notice."""
        return ()

    def switched(self) -> Sequence[Message]:
        """Return the client's presence with a clock that overrides the news of its leaving."""
        own = self._own
        if own is None or own.state == LEFT:
            return ()
        self._again = False
        self._shift += 2
        self._own = replace(own, clock=own.clock + 2)
        return (_announce([self._own]),)

    def overdue(self, now: float) -> Sequence[Message]:
        """Return the news of clients that have left and did not come back."""
        due = [client for client, (_, until) in self._kept.items() if now >= until]
        left = [Announcement(client, self._kept.pop(client)[0], LEFT) for client in due]
        return (_announce(left),) if left else ()

    def key(self, message: Message) -> Hashable | None:
        """Return None: Yjs messages may be repeated."""
        return None

    @property
    def must_announce(self) -> bool:
        """True if the program believes that the client has left: `switched` says otherwise."""
        return self._again


def _parse(message: Message) -> SyncStep1 | list[Announcement] | None:
    """Return a step 1, or the announcements of an awareness update; None for all else."""
    if message.opcode != BINARY:
        return None
    try:
        frame = parse_y_frame(message.payload)
        if isinstance(frame, AwarenessUpdate):
            return parse_awareness(frame.payload)
    except (ProtocolError, BrokenUpdate):
        return None  # the program refuses it
    return frame if isinstance(frame, SyncStep1) else None


def _announce(announcements: Sequence[Announcement]) -> Message:
    payload = make_awareness(encode_awareness_states(list(announcements)))
    return Message(BINARY, make_frame(BINARY, payload), payload)
