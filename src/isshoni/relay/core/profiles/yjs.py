"""Yjs: y-websocket and pycrdt-websocket (y-protocols: sync and awareness).

Updates may come twice and in any order, so documents need no comparison of messages: the
client's last step 1 is replayed, and the two step 2 that follow bring both sides everything.
"""

from collections.abc import Hashable, Iterable, Sequence

from isshoni.relay.core.frames import BINARY, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.presence import Moves, Presence
from isshoni.relay.core.profiles.profile import SentAsItComes
from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import (
    Announcement,
    encode_awareness_states,
    parse_awareness,
)
from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    YFrame,
    make_awareness,
    parse_y_frame,
)
from isshoni.session.yjs_walk import BrokenUpdate


class Yjs(SentAsItComes):
    """The presence and the last step 1 of one socket of Yjs clients."""

    __slots__ = ("_answered", "_asked", "_presence", "_step1")

    reads_client = reads_program = True
    is_busy = False
    can_move = True
    in_unit = False

    def __init__(self, moves: Moves) -> None:
        self._presence = Presence(moves)
        self._step1: Message | None = None
        self._asked: int | None = None
        """The number of the program that the last step 1 was replayed to."""
        self._answered = True
        """True once that program has answered it."""

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record step 1 and the client's own state; shift the clock of the latter."""
        frame = _parse(message)
        if isinstance(frame, SyncStep1):
            self._step1 = message
        news = _read_news(frame)
        if news is None:
            return (message,)
        passed = self._presence.from_client(news)
        return (message,) if passed == news else _announce(passed)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """While clients move, keep back the news that others have left; drop it for this client."""
        frame = _parse(message)
        if isinstance(frame, SyncUpdate) and number == self._asked:
            self._answered = True
        news = _read_news(frame)
        if news is None:
            return (message,)
        passed = self._presence.from_program(news, now, number)
        return (message,) if passed == news else _announce(passed)

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the client's last step 1: the new program answers with what it lacks."""
        if self._step1 is None:
            return ()
        self._asked, self._answered = number, False
        return (self._step1,)

    @property
    def has_joined(self) -> bool:
        """True once the new program has answered the step 1: it has the document."""
        return self._answered

    def moved(self) -> Sequence[Message]:
        """Return nothing: the client does not notice."""
        return ()

    def switched(self) -> Sequence[Message]:
        """Return the client's presence with a clock that overrides the news of its leaving."""
        return _announce(self._presence.announce())

    def overdue(self, now: float) -> Sequence[Message]:
        """Return the news that clients have left, once it was kept back long enough."""
        return _announce(self._presence.overdue(now))

    def key(self, message: Message) -> Hashable | None:
        """Return None for Yjs messages, which may be repeated; for all others their content."""
        if not message.opcode or _parse(message) is not None:
            return None
        return (message.opcode, message.payload)

    @property
    def must_announce(self) -> bool:
        """True if the program believes that the client has left: `switched` says otherwise."""
        return self._presence.must_announce


def _parse(message: Message) -> YFrame | None:
    """Return a frame of the protocol; None for all else."""
    if message.opcode != BINARY:
        return None
    try:
        return parse_y_frame(message.payload)
    except ProtocolError:
        return None  # the program refuses it, or has messages of its own


def _read_news(frame: YFrame | None) -> list[Announcement] | None:
    if not isinstance(frame, AwarenessUpdate):
        return None
    try:
        return parse_awareness(frame.payload)
    except BrokenUpdate:
        return None  # its receiver refuses it


def _announce(announcements: Sequence[Announcement]) -> Sequence[Message]:
    if not announcements:
        return ()
    payload = make_awareness(encode_awareness_states(list(announcements)))
    return (Message(BINARY, make_frame(BINARY, payload), payload),)
