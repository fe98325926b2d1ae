"""A synthetic user: a real client that types and draws at random and records everything."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from isshoni.client.canvas import Canvas
from isshoni.client.client import SessionClient
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.wire import open_websocket
from isshoni.session.from_server import ChatEvent
from isshoni.session.outbox_state import OutboxState
from isshoni.verify.acts import Acts
from isshoni.verify.clock import RunClock
from isshoni.verify.conversations import Conversations
from isshoni.verify.edits import VERSION_FIELD, EditLedger
from isshoni.verify.gaps import ConnectionTimeline
from isshoni.verify.lean_canvas import CanvasState, LeanCanvas, SessionUpdates, decode_state
from isshoni.verify.lean_wire import open_lean_wire
from isshoni.verify.ledger import Ledger

CLIENT_ID_PREFIX = "synthetic-"
"""The prefix by which synthetic users are known from real ones."""
ELEMENTS_EACH = 50
"""A user's canvas elements; then they change their own old ones."""
_COLOURS = ("#26231f", "#c4472f", "#2c4f86", "#2f6b4c", "#b9832a")
_WORDS = ("hello", "together", "一緒に", "함께", "naïve", "<b>&amp;", "🎨🖌️", '"quoted"', "\\n")


@dataclass(frozen=True)
class Habits:
    """How often a user types and draws; the time between is drawn at random."""

    messages_per_second: float = 1.0
    edits_per_second: float = 0.5
    acts_share: float = 0.1
    """The share of messages that are about others: replies, reactions, edits, deletions."""


@dataclass
class Books:
    """Everything that is recorded of one run."""

    clock: RunClock = field(default_factory=RunClock)
    chat: Ledger = field(default_factory=Ledger)
    edits: EditLedger = field(default_factory=EditLedger)
    conversations: Conversations = field(default_factory=Conversations)
    trouble: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Life:
    """One life of a client_id that has several."""

    number: int
    sender_page: int | None = None
    """The ledger page of an earlier life whose messages this one continues to send."""
    outbox: OutboxState | None = None
    """The unacknowledged messages of that life."""


class SyntheticUser(ClientListener):
    """One user, who talks on request and records everything that its client reports.

    With `lean`, the updates of its session, it has a socket and a canvas that cost less, and
    everything else of a client: outbox, timeline, states, restore.
    """

    def __init__(
        self,
        url: str,
        session_id: str,
        client_id: str,
        books: Books,
        rng: random.Random,
        token: str | None = None,
        *,
        life: Life | None = None,
        lean: SessionUpdates | None = None,
        acts_share: float = Habits.acts_share,
    ) -> None:
        self.session_id = session_id
        self.client_id = client_id
        self._life = life
        self.timeline = ConnectionTimeline()
        self._books = books
        self._rng = rng
        self._chat_page = books.chat.add_user(client_id, session_id)
        page = life.sender_page if life else None
        self.sender_page = self._chat_page if page is None else page
        """The ledger page of this user's own messages."""
        self._edit_page = books.edits.add_user(session_id)
        self._lean = lean
        self._acts = Acts(client_id, rng, acts_share)
        # Whole clients, that live once, are few: their events can be kept.
        is_kept = lean is None and life is None
        self._given = books.conversations.add_reader(session_id, client_id) if is_kept else None
        self.client = SessionClient(
            url,
            session_id,
            client_id=client_id,
            token=token,
            listener=self,
            uniform=rng.random,
            outbox=life.outbox if life else None,
            open_wire=open_lean_wire if lean else open_websocket,
            make_canvas=self._make_canvas,
        )

    async def talk(self, habits: Habits) -> None:
        """Type and draw until cancelled."""
        rates = (habits.messages_per_second, habits.edits_per_second)
        async with asyncio.TaskGroup() as group:
            for act, rate in zip((self.type_message, self.draw_element), rates, strict=True):
                if rate > 0:
                    group.create_task(self._repeat(act, rate))

    def type_message(self) -> None:
        """Send one message unlike any other."""
        count = len(self._books.chat.members[self.sender_page].sent) + 1
        words = " ".join(self._rng.choices(_WORDS, k=self._rng.randint(1, 12)))
        name = f"{self.client_id} in life {self._life.number}" if self._life else self.client_id
        act = self._acts.invent(self.client.chat.features)
        about = act.about if act else None
        text = (act and act.emoji) or f"{name} says {count}: {words}"
        at = self._books.clock.now()
        n = self.client.chat.send(text, about=about)
        self._books.chat.record_sent(self.sender_page, n, text, at, about)

    @property
    def canvas_state(self) -> CanvasState:
        """Of each author of the canvas, how much this user knows: cheap to compare."""
        canvas = self._canvas
        if isinstance(canvas, LeanCanvas):
            return canvas.state
        return decode_state(canvas.doc.get_state())

    def record_canvas(self) -> None:
        """Record the canvas as this user sees it at the end."""
        edits, canvas = self._books.edits, self._canvas
        if not isinstance(canvas, LeanCanvas):
            edits.record_final(self.session_id, self.client_id, canvas.elements)
            return
        # The same updates make the same canvas: it is built once for all who were sent them.
        edits.record_final_of(
            self.session_id, self.client_id, canvas.updates, lambda: canvas.elements
        )

    def stop_reading(self) -> None:
        """Record that deliveries to this user no longer count."""
        self._books.chat.record_stopped_reading(self._chat_page)

    def forgive_unacked(self) -> None:
        """Record that the log may have the unacknowledged messages, or not."""
        self._books.chat.forgive_unacked(self.sender_page)

    def draw_element(self) -> None:
        """Write one of this user's own elements, which no other user changes."""
        version = self._books.edits.drawn_by(self._edit_page) + 1
        element_id = f"{self.client_id}-{version % ELEMENTS_EACH}"
        element = dict(self._invent_element(element_id), **{VERSION_FIELD: version})
        self._books.edits.record_drawn(self._edit_page, element_id, version)
        self.client.draw(element_id, element)

    # What the client reports.

    def on_connection(self, change: ConnectionChange, at: float) -> None:
        """Record the connection in its timeline."""
        moment = self._books.clock.from_monotonic(at)
        match change.state:
            case ConnectionState.RESTORED | ConnectionState.MOVED:
                # A user with a single life joins before any message: it must get the whole log.
                seq = self.client.position.seq if self._life and self.client.position else 0
                self._books.chat.record_joined(self._chat_page, seq, self._epoch)
                self._books.chat.record_features(self.client.chat.features)
                colour, version = change.colour or "", change.server_version or ""
                self.timeline.record_restored(moment, colour, version)
            case ConnectionState.LOST:
                self.timeline.record_lost(moment, change.close_code)
            case ConnectionState.REFUSED:
                self._books.trouble.append(
                    f"{self.client_id} was refused for good (close code {change.close_code})."
                )

    def on_chat(self, event: ChatEvent, at: float) -> None:
        """Record what a person would have seen."""
        moment = self._books.clock.from_monotonic(at)
        chat = self._books.chat
        chat.record_delivery(
            self._chat_page, event.seq, event.client_id, event.n, chat.identify(event), moment
        )
        self._acts.record(event)
        if self._given is not None:
            self._given.epoch = self._epoch
            self._given.events.append(event)

    def on_raw_chat(self, event: ChatEvent, generation: int, replayed: bool, at: float) -> None:
        """Record an event as the connection carried it."""
        self._books.chat.record_wire(self._chat_page, generation, event.seq, in_replay=replayed)

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        """Record that from now on this message may not be lost."""
        self._books.chat.record_ack(self.sender_page, n, seq, self._epoch)

    def on_numbered(self, changes: Mapping[int, int], at: float) -> None:
        """Record changed message numbers."""
        self._books.chat.record_numbered(self.sender_page, changes)

    def on_doubtful(self, n: int, text: str, at: float) -> None:
        """Record a message that is not sent again: no acknowledgement of later ones is its own."""
        self._books.chat.record_given_back(self.sender_page, n)

    def on_saved(self, unsaved_edits: int, at: float) -> None:
        """Record that from now on these edits may not be lost."""
        self.note_saved(unsaved_edits)

    def note_saved(self, unsaved_edits: int) -> None:
        """Record all edits of this user as saved, except the last `unsaved_edits`."""
        drawn = self._books.edits.drawn_by(self._edit_page)
        self._books.edits.record_saved(self._edit_page, drawn - unsaved_edits)

    def on_log_restarted(self, at: float) -> None:
        """Record that the chat log began again: under another epoch, or without its end."""
        if self._given is not None:
            self._given.events.clear()
        if not self._books.chat.is_at_epoch(self._chat_page, self._epoch):
            self._books.chat.record_other_epoch(self._chat_page, self._epoch)
            return
        self._books.trouble.append(
            f"The chat log of session {self.session_id} lost its end under the same epoch, "
            f"as {self.client_id} saw."
        )

    @property
    def _epoch(self) -> str:
        """The epoch of the log that the client has; its restore sets it before any event."""
        return self.client.position.epoch if self.client.position else ""

    def _make_canvas(self, send: Callable[[bytes], None], refuse: Callable[[str], None]) -> Canvas:
        lean = self._lean
        self._canvas = Canvas(send, refuse) if lean is None else LeanCanvas(lean, send, refuse)
        return self._canvas

    async def _repeat(self, act: Any, per_second: float) -> None:
        for pause in self._pauses(per_second):
            await asyncio.sleep(pause)
            act()

    def _pauses(self, per_second: float) -> Iterator[float]:
        yield self._rng.random() / per_second
        while True:
            yield self._rng.uniform(0.5, 1.5) / per_second

    def _invent_element(self, element_id: str) -> dict[str, Any]:
        return {
            "id": element_id,
            "type": self._rng.choice(("rectangle", "ellipse", "diamond")),
            "x": self._rng.randint(-2000, 2000),
            "y": self._rng.randint(-2000, 2000),
            "width": self._rng.randint(10, 400),
            "height": self._rng.randint(10, 400),
            "strokeColor": self._rng.choice(_COLOURS),
            "text": self._rng.choice(_WORDS),
        }
