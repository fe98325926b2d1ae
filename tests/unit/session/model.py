"""A whole platform in one thread: people, wires, processes and a log, moved step by step.

The people are the pure core (`Outbox`, `Timeline`) under the rules of `SessionClient`;
the log is the store's fake, which passes the store's contract; a process is what
docs/protocol.md says of a server. Nothing happens by itself: whoever drives the model
decides which frame arrives next, and what breaks.
"""

from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from isshoni.backend.store.ports import Appended, Duplicate
from isshoni.session.messages import Ack, Chat, ErrorMessage, Position, RestoreSession
from isshoni.session.outbox import Outbox
from isshoni.session.timeline import Timeline
from tests.support.fake_store import FakeSessionStore

SESSION = "s"
T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """A message as everybody gets it."""

    seq: int
    client_id: str
    n: int
    text: str
    about: None = None
    files: None = None


@dataclass(frozen=True)
class Restored:
    """The answer to a restore."""

    asked: Position | None
    stand: Position
    last_n: int
    history: tuple[Event, ...]


ToServer = Chat | RestoreSession
ToClient = Event | Restored | Ack | ErrorMessage


@dataclass(eq=False)
class Wire:
    """One connection. Each direction keeps its order; each end may be gone alone."""

    client_id: str
    process: "Process"
    to_server: deque[ToServer] = field(default_factory=deque)
    to_client: deque[ToClient] = field(default_factory=deque)
    client_gone: bool = False
    server_gone: bool = False
    epoch: str | None = None
    """Of the log, as this wire was told; None before the first restore."""
    failed_n: int | None = None
    known: bool = False

    def send(self, frame: ToServer) -> None:
        """Put a frame on its way to the server."""
        if not self.server_gone:
            self.to_server.append(frame)

    def tell(self, frame: ToClient) -> None:
        """Put a frame on its way to the client."""
        if not self.client_gone:
            self.to_client.append(frame)


class Log:
    """The session's log in the store."""

    def __init__(self) -> None:
        self._store = FakeSessionStore()

    @property
    def events(self) -> list[Event]:
        """All of it."""
        session = self._store.server.open(SESSION)
        return [_read_event(entry.seq, entry.payload.decode()) for entry in session.chat]

    @property
    def epoch(self) -> str:
        """Which log it is."""
        return self._store.server.open(SESSION).epoch

    def append(self, client_id: str, chat: Chat) -> Any:
        """Apply the store's rule to a message."""
        text = f"{client_id} {chat.n} {chat.text}".encode()
        return _run(self._store.append_chat(SESSION, client_id, chat.n, text))

    def last_n(self, client_id: str) -> int:
        """Return a client's greatest n."""
        return _run(self._store.read_standing(SESSION, client_id)).last_n


class Process:
    """A server process: it answers on its wires, and hears of the log with delay."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._wires: list[Wire] = []
        self._heard: int | None = None
        self.alive = True

    def accept(self, wire: Wire) -> None:
        """Take a new connection."""
        self._wires.append(wire)

    def crash(self) -> None:
        """Be gone, with all that was not read, written or sent."""
        self.alive = False
        for wire in self._wires:
            wire.server_gone = True
            wire.to_server.clear()

    def take(self, wire: Wire, *, redis_refuses: bool, dies_before_answering: bool) -> None:
        """Handle the next frame of a wire."""
        frame = wire.to_server.popleft()
        if isinstance(frame, RestoreSession):
            answer: ToClient = self._restore(wire, frame)
        elif wire.epoch is None:
            answer = ErrorMessage("not_restored", "", n=frame.n)
        else:
            answer = self._write(wire, frame, redis_refuses=redis_refuses)
        if dies_before_answering:
            self.crash()
        else:
            wire.tell(answer)

    def hear(self) -> None:
        """Hear of the next message in the log, and pass it on."""
        events = self.log.events
        if self._heard is not None and self._heard < len(events):
            event = events[self._heard]
            self._heard += 1
            for wire in self._wires:
                if wire.epoch is not None:
                    wire.tell(event)

    def _restore(self, wire: Wire, request: RestoreSession) -> Restored:
        events = self.log.events
        asked = request.position
        if self._heard is None:
            self._heard = len(events)
        while asked is not None and asked.seq > self._heard:
            self.hear()
        last_n = self.log.last_n(wire.client_id)
        wire.epoch, wire.known = self.log.epoch, last_n > 0
        history = tuple(events[asked.seq if asked else 0 : self._heard])
        return Restored(asked, Position(wire.epoch, self._heard), last_n, history)

    def _write(self, wire: Wire, chat: Chat, *, redis_refuses: bool) -> ToClient:
        if not wire.known and wire.failed_n is not None and chat.n > wire.failed_n:
            return ErrorMessage("gap", "", n=chat.n, expected=wire.failed_n)
        if redis_refuses:
            wire.failed_n = chat.n
            return ErrorMessage("not_saved", "", n=chat.n)
        result = self.log.append(wire.client_id, chat)
        if isinstance(result, (Appended, Duplicate)):
            wire.known = True
            return Ack(chat.n, getattr(result, "seq", None))
        return ErrorMessage("gap", "", n=chat.n, expected=result.expected)


class Person:
    """A client: the pure core, under the rules by which `SessionClient` uses it."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.lives: list[list[str]] = [[]]
        """What each life typed, and may be in the log."""
        self.acked: list[str] = []
        self.delivered: list[Event] = []
        self.wires: list[Wire] = []
        self.current: Wire | None = None
        self._next: Wire | None = None
        self._earlier_wires: list[Wire] = []
        self._outbox = Outbox()
        self._timeline: Timeline[Event] = Timeline()
        self._text_of: dict[int, str] = {}

    @property
    def unsaved(self) -> int:
        """How many messages are not known to be in the log."""
        return len(self._outbox)

    def type(self, text: str) -> None:
        """Say something, connected or not."""
        chat = self._outbox.add(text)
        self._text_of[chat.n] = text
        self.lives[-1].append(text)
        self._send_from(chat.n)

    def live_again(self) -> None:
        """End without a word, and begin with nothing but the name."""
        self._earlier_wires += self.wires
        for wire in list(self.wires):
            self.lose(wire)
        self.lives.append([])
        self.delivered = []
        self._outbox, self._timeline, self._text_of = Outbox(), Timeline(), {}

    def connect(self, process: Process) -> None:
        """Open a connection, beside those that there are."""
        wire = Wire(self.client_id, process)
        process.accept(wire)
        self.wires.append(wire)
        self._next = wire
        self._ask_restore(wire)

    def lose(self, wire: Wire) -> None:
        """Lose a connection at this end; what was sent may still be read at the other."""
        wire.client_gone = True
        wire.to_client.clear()
        self.wires.remove(wire)
        self.current = None if wire is self.current else self.current
        self._next = None if wire is self._next else self._next

    def take(self, wire: Wire) -> None:
        """Handle the next frame of a wire, or its end."""
        if not wire.to_client:
            self.lose(wire)
            return
        match wire.to_client.popleft():
            case Event() as event:
                self._take_event(wire, event)
            case Restored() as answer:
                self._take_restored(wire, answer)
            case Ack(n=n, seq=seq):
                first = self._first
                self._note_acked(self._outbox.answer(n, is_resend=seq is None))
                self._go_on_after(first)
            case ErrorMessage(n=n, expected=expected) if wire is self.current:
                start = expected if expected is not None else n
                assert start is not None
                self._send_from(start)

    def _take_event(self, wire: Wire, event: Event) -> None:
        assert wire.epoch is not None
        first = self._first
        self._notice(event)
        self._go_on_after(first)
        delivery = self._timeline.receive(wire.epoch, event)
        self.delivered += delivery.events
        if delivery.holes and self.current is not None:
            self._ask_restore(self.current)

    def _take_restored(self, wire: Wire, answer: Restored) -> None:
        mode: Literal["replay", "full"] = "full" if answer.asked is None else "replay"
        delivery = self._timeline.restore(answer.asked, mode, answer.stand, answer.history)
        assert not delivery.holes and not delivery.restarted
        self._renumber(self._outbox.settle(answer.last_n))
        for event in answer.history:
            self._notice(event)
        # The history of this log always reaches back to where we sent.
        self._note_acked(self._outbox.answer(answer.last_n, is_resend=True))
        if wire is self._next:
            self.current, self._next = wire, None
        self._send_from(0)
        self.delivered += delivery.events

    def _ask_restore(self, wire: Wire) -> None:
        position = self._timeline.position
        wire.send(RestoreSession(SESSION, self.client_id, position=position))

    @property
    def _first(self) -> int | None:
        pending = self._outbox.pending()
        return pending[0].n if pending else None

    def _notice(self, event: Event) -> None:
        if event.client_id != self.client_id:
            return
        noticed = self._outbox.notice(event)
        self._note_acked(noticed.acknowledged)
        self._renumber(noticed.renumbered)
        if noticed.renumbered:
            self._send_from(min(noticed.renumbered.values()))

    def _note_acked(self, numbers: list[int]) -> None:
        self.acked += [self._text_of[n] for n in numbers]

    def _renumber(self, changes: dict[int, int]) -> None:
        texts = {new: self._text_of.pop(old) for old, new in changes.items()}
        self._text_of.update(texts)

    def _go_on_after(self, first: int | None) -> None:
        if self._first != first:
            self._send_from(0)

    def _send_from(self, n: int) -> None:
        """Send what is due; one at a time while an earlier life may still be heard."""
        if self.current is None:
            return
        alone = self._may_hear_of_earlier_life(self.current)
        due = [one for one in self._outbox.due(n) if not alone or one.n == self._first]
        self._outbox.note_sent(due, self._timeline.position)
        for message in due:
            self.current.send(message)

    def _may_hear_of_earlier_life(self, wire: Wire) -> bool:
        """True while a message of an earlier life is on its way to the log, or its event to us.

        The clients wait a second for that (`new_life_seconds`).
        """
        if any(earlier.to_server for earlier in self._earlier_wires):
            return True
        position = self._timeline.position
        unheard = wire.process.log.events[position.seq if position else 0 :]
        return any(
            event.client_id == self.client_id and event.text not in self.lives[-1]
            for event in unheard
        )


def _read_event(seq: int, payload: str) -> Event:
    client_id, n, text = payload.split(" ", 2)
    return Event(seq, client_id, int(n), text)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing but its turn."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
