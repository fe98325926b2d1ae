"""Hocuspocus: Yjs, with several documents on one socket, tokens, and answers to each update.

The client's token and its last step 1 are replayed for each document. The new program's answers
to the tokens are dropped, and so is its answer to the step 2 that the relay's step 1 caused: the
client counts the answers to its updates. An update that the old program did not answer is in
that step 2, too, so that answer stands for the missing ones.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from isshoni.relay.core.frames import BINARY, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.hocuspocus_frames import (
    ADMITTED,
    AUTH,
    AWARENESS,
    CLOSE,
    DENIED,
    STATELESS,
    STEP1,
    STEP2,
    SYNC,
    SYNC_REPLY,
    SYNC_STATUS,
    TOKEN,
    DocumentFrame,
    make_news,
    make_saved,
    parse_document_frame,
    read_news,
)
from isshoni.relay.core.profiles.presence import Moves, Presence
from isshoni.relay.core.profiles.profile import SentAsItComes

ANSWER_SECONDS = 3.0
"""An answer that takes longer is not waited for."""
MOST_DOCUMENTS = 1000
"""A client with more on one socket is not moved."""


@dataclass(slots=True)
class _Leg:
    """What one program has to answer for a document, and has answered."""

    is_admitted: bool = False
    """True once the program has accepted the token."""
    is_replayed: bool = False
    """True if the relay has sent the token to it."""
    provoked: int = 0
    """Step 2 of the client that only the relay's step 1 will cause."""
    has_document: bool = False
    """True once its step 2 has come: it has loaded the document."""
    has_asked: bool = False
    """True once the program's first step 1 has come."""
    unanswered: deque[tuple[float, bool]] = field(default_factory=deque)
    """When an update was sent that has no answer yet, and whether the relay caused it."""


@dataclass(slots=True)
class _Document:
    """One document that the client has opened."""

    presence: Presence
    token: Message | None = None
    opened_at: float = 0.0
    step1: Message | None = None
    legs: dict[int, _Leg] = field(default_factory=dict)

    def leg(self, number: int) -> _Leg:
        """Return what is known of a program."""
        return self.legs.setdefault(number, _Leg())


class Hocuspocus(SentAsItComes):
    """The documents of one socket of Hocuspocus clients."""

    __slots__ = (
        "_answers",
        "_current",
        "_documents",
        "_moves",
        "_newest",
        "_now",
        "can_move",
        "was_refused",
    )

    reads_client = reads_program = True
    in_unit = False

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._documents: dict[bytes, _Document] = {}
        self._current = self._newest = 0
        """The numbers of the leg that serves the client, and of the last one that was opened."""
        self._answers = False
        """True if the program answers updates; servers before version 2 do not."""
        self._now = 0.0
        self.can_move = True
        """False for a client with too many documents to remember."""
        self.was_refused = False
        """True if the new program has refused a token: the client stays."""

    # From the client

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record tokens, steps and updates; shift the clock of the client's presence."""
        self._now = now
        frame = _parse(message)
        document = None if frame is None else self._find(frame)
        if frame is None or document is None:
            return (message,)
        if frame.kind == AUTH and frame.step == TOKEN:
            document.token, document.opened_at = message, now
        elif frame.kind in (SYNC, SYNC_REPLY):
            self._sync_sent(document, frame, message)
        elif frame.kind == CLOSE:
            del self._documents[frame.name]
        elif frame.kind == AWARENESS and (news := read_news(frame)) is not None:
            passed = document.presence.from_client(news)
            if passed != news:
                return (_make(make_news(frame.name, passed)),)
        return (message,)

    def _find(self, frame: DocumentFrame) -> _Document | None:
        document = self._documents.get(frame.name)
        if document is None and frame.kind in (AUTH, SYNC):
            if len(self._documents) >= MOST_DOCUMENTS:
                self.can_move = False
                return None
            document = self._documents[frame.name] = _Document(Presence(self._moves))
        return document

    def _sync_sent(self, document: _Document, frame: DocumentFrame, message: Message) -> None:
        if frame.step == STEP1:
            document.step1 = message
            return
        leg = document.leg(self._current)
        is_provoked = frame.step == STEP2 and leg.provoked > 0
        leg.provoked -= is_provoked
        leg.unanswered.append((self._now, is_provoked))

    # From a program

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Drop what only the relay has asked for; keep presence steady."""
        self._now = now
        frame = _parse(message)
        document = None if frame is None else self._documents.get(frame.name)
        if frame is None or document is None:
            return (message,)
        leg = document.leg(number)
        if frame.kind == AUTH:
            return self._auth_came(number, leg, frame, message)
        if frame.kind == SYNC_STATUS:
            return self._answer_came(number, document, frame, message)
        if frame.kind == CLOSE:
            return self._close_came(number, leg, frame, message)
        if frame.kind in (SYNC, SYNC_REPLY) and frame.step == STEP1:
            leg.provoked += leg.is_replayed and not leg.has_asked and document.step1 is not None
            leg.has_asked = True
        elif frame.kind in (SYNC, SYNC_REPLY):
            leg.has_document = leg.has_document or frame.step == STEP2
        elif frame.kind == AWARENESS and (news := read_news(frame)) is not None:
            passed = document.presence.from_program(news, now, number)
            if passed != news:
                return (_make(make_news(frame.name, passed)),) if passed else ()
        return (message,)

    def _auth_came(
        self, number: int, leg: _Leg, frame: DocumentFrame, message: Message
    ) -> Iterable[Message]:
        is_answer_to_relay = leg.is_replayed and not leg.is_admitted
        if frame.step == ADMITTED:
            leg.is_admitted = True
        elif frame.step == DENIED and is_answer_to_relay:
            self.was_refused = number == self._newest
        elif frame.step == DENIED and number == self._current:
            del self._documents[frame.name]  # the client has to open it again
        return () if is_answer_to_relay and frame.step != TOKEN else (message,)

    def _answer_came(
        self, number: int, document: _Document, frame: DocumentFrame, message: Message
    ) -> Iterable[Message]:
        self._answers = True
        unanswered = document.leg(number).unanswered
        if not unanswered:
            return (message,) if number == self._current else ()
        _, is_provoked = unanswered.popleft()
        if not is_provoked:
            return (message,)
        missing = 0
        for earlier in [n for n in document.legs if n < number]:
            missing += sum(not caused for _, caused in document.legs[earlier].unanswered)
            document.legs[earlier].unanswered.clear()
        is_saved = frame.body == b"\1"
        return [_make(make_saved(frame.name)) for _ in range(missing if is_saved else 0)]

    def _close_came(
        self, number: int, leg: _Leg, frame: DocumentFrame, message: Message
    ) -> Iterable[Message]:
        if number != self._current:
            leg.is_admitted = False
            return ()  # the client has this document at another program
        del self._documents[frame.name]
        return (message,)

    # A move

    @property
    def is_busy(self) -> bool:
        """True while a token or an update is unanswered, or a document was opened in a move."""
        return any(self._awaits(document) for document in self._documents.values())

    def _awaits(self, document: _Document) -> bool:
        since = self._now - ANSWER_SECONDS
        current, newest = document.leg(self._current), document.leg(self._newest)
        if document.token is None or (self._newest != self._current and not newest.is_admitted):
            return document.token is not None
        if not current.is_admitted and document.opened_at > since:
            return True
        return self._answers and any(at > since for at, _ in current.unanswered)

    @property
    def has_joined(self) -> bool:
        """True once the new program has accepted all tokens and loaded all documents."""
        return all(map(self._has_joined, self._documents.values()))

    def _has_joined(self, document: _Document) -> bool:
        leg = document.leg(self._newest)
        is_loaded = leg.has_document or document.step1 is None
        return not leg.is_replayed or (leg.is_admitted and is_loaded)

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the token and the last step 1 of each document."""
        self._newest, self.was_refused = number, False
        messages: list[Message] = []
        for document in self._documents.values():
            document.legs = {self._current: document.leg(self._current), number: _Leg()}
            if document.token is not None:
                document.leg(number).is_replayed = True
                messages.append(document.token)
                messages += [] if document.step1 is None else [document.step1]
        return messages

    def moved(self) -> Sequence[Message]:
        """Make the newest program the current one; return nothing: the client does not notice."""
        self._current = self._newest
        return ()

    def switched(self) -> Sequence[Message]:
        """Return the client's presence in each document, newer than the news of its leaving."""
        return [
            _make(make_news(name, news))
            for name, document in self._documents.items()
            if (news := document.presence.announce())
        ]

    @property
    def must_announce(self) -> bool:
        """True if the program believes that a client has left: `switched` says otherwise."""
        return any(one.presence.must_announce for one in self._documents.values())

    def overdue(self, now: float) -> Sequence[Message]:
        """Return the news of clients that have left and did not come back."""
        self._now = now
        return [
            _make(make_news(name, news))
            for name, document in self._documents.items()
            if (news := document.presence.overdue(now))
        ]

    def key(self, message: Message) -> Hashable | None:
        """Return None for Yjs messages, which may be repeated; for all others their content."""
        frame = _parse(message)
        if not message.opcode or (frame is not None and frame.kind != STATELESS):
            return None
        return (message.opcode, message.payload)


def _parse(message: Message) -> DocumentFrame | None:
    return parse_document_frame(message.payload) if message.opcode == BINARY else None


def _make(payload: bytes) -> Message:
    return Message(BINARY, make_frame(BINARY, payload), payload)
