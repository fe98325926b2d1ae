"""A client of a session: keeps chat and canvas over losses and moves of connections."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec
from pycrdt import Doc

from isshoni.client.canvas import Canvas
from isshoni.client.chat_actions import ChatActions
from isshoni.client.chat_sender import ChatSender
from isshoni.client.connection import Connection
from isshoni.client.errors import check_identifiers
from isshoni.client.guarded_listener import guard
from isshoni.client.history_requests import HistoryRequests
from isshoni.client.lifeline import Lifeline
from isshoni.client.listener import ClientListener
from isshoni.client.settings import ClientSettings
from isshoni.client.token import Token, TokenSource
from isshoni.client.waiting import wait_for_event
from isshoni.client.wire import OpenWire, open_websocket
from isshoni.session.addresses import Addresses
from isshoni.session.backoff import read_wait_seconds
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.from_server import ChatEvent, OtherProtocol, parse_from_server, parse_history
from isshoni.session.messages import (
    Ack,
    Authenticated,
    Chat,
    ChatEvents,
    ErrorMessage,
    History,
    HistoryPage,
    Migrate,
    Position,
    Recall,
    RecalledEvents,
    RestoreSession,
    Saved,
    SessionRestored,
)
from isshoni.session.outbox import Outbox
from isshoni.session.outbox_state import OutboxState, Renumbered
from isshoni.session.recovery import EventTail
from isshoni.session.timeline import Delivery, Timeline

_encode = msgspec.json.Encoder().encode
MakeCanvas = Callable[[Callable[[bytes], None], Callable[[str], None]], Canvas]
"""Makes a canvas that sends frames by the one, and reports what was refused by the other."""


class SessionClient:
    """A client of one session: sends, draws and listens, connected or not.

    Messages stay in the outbox, and edits in the document, until they are known to be in
    Redis; its `Lifeline` makes the connections.
    `alternatives` are addresses of other regions; servers name them too.
    `query` (`?target=green&ticket=…`) is for a client that must reach one colour.
    `outbox` is the `outbox_state` of an earlier life of the client. `open_wire` and `make_canvas`
    replace its sockets and its canvas, for a program that runs thousands of clients.
    """

    def __init__(
        self,
        url: str,
        session_id: str,
        *,
        client_id: str | None = None,
        token: Token | None = None,
        listener: ClientListener | None = None,
        settings: ClientSettings | None = None,
        query: str = "",
        alternatives: Sequence[str] = (),
        uniform: Callable[[], float] = random.random,
        outbox: OutboxState | None = None,
        open_wire: OpenWire = open_websocket,
        make_canvas: MakeCanvas = Canvas,
    ) -> None:
        self.session_id = session_id
        self.client_id = (outbox and outbox.client_id) or client_id or _make_client_id()
        check_identifiers(session_id=session_id, client_id=self.client_id)
        self._listener = guard(listener) if listener else ClientListener()
        self._settings = settings or ClientSettings()
        self._uniform = uniform
        messages = Outbox() if outbox is None else Outbox.from_state(outbox)
        self._sender = ChatSender(messages, self, self._settings, uniform)
        self._history = HistoryRequests(self._ask)
        self.chat = ChatActions(self._sender.send, self._history)
        self._subject: str | None = None
        self._timeline: Timeline[ChatEvent] = Timeline()
        self._tail = EventTail()
        self._canvas = make_canvas(self._send_canvas, self._refuse_edit)
        self._lifeline = Lifeline(
            Addresses(url.rstrip("/"), alternatives),
            f"/ws/{session_id}",
            query,
            self,
            self._listener,
            self._settings,
            TokenSource(token, self._settings.token_timeout_seconds),
            uniform,
            open_wire,
        )
        self._restored_event = asyncio.Event()
        self._saved_event = asyncio.Event()

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._lifeline.open()

    async def aclose(self) -> None:
        """Close for good; what is not saved by now may be lost."""
        self._history.close()
        self._sender.close()
        await self._lifeline.aclose()

    async def acrash(self) -> None:
        """End as if the process were killed: without a close frame, with messages in flight."""
        self._history.close()
        self._sender.close()
        await self._lifeline.acrash()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def is_restored(self) -> bool:
        """True while there is an open, restored connection."""
        return self._lifeline.current is not None

    @property
    def doc(self) -> Doc[Any]:
        """The canvas document; edits to it are sent as they happen."""
        return self._canvas.doc

    @property
    def elements(self) -> dict[str, Any]:
        """The elements on the canvas, by id."""
        return self._canvas.elements

    @property
    def unsaved_messages(self) -> int:
        """How many of our messages are not known to be in Redis."""
        return len(self._sender.outbox)

    @property
    def outbox_state(self) -> OutboxState:
        """The unacknowledged messages, for the next life of this client."""
        return self._sender.outbox.to_state(self.client_id)

    @property
    def position(self) -> Position | None:
        """The position of the last delivered message; None before the first restore."""
        return self._timeline.position

    @property
    def unsaved_edits(self) -> int:
        """How many of our canvas edits are not known to be in Redis."""
        return self._canvas.unsaved_edits

    def send_chat(self, text: str) -> int:
        """Send a message, now or once connected; return its n.

        Before the first restore is answered n may still change: see `on_numbered`.
        """
        return self.chat.send(text)

    def draw(self, element_id: str, element: dict[str, Any]) -> None:
        """Put an element (plain JSON) on the canvas, now or once connected."""
        self._canvas.draw(element_id, element)

    def erase(self, element_id: str) -> None:
        """Remove an element from the canvas, if it is there."""
        self._canvas.erase(element_id)

    async def wait_until_restored(self, timeout: float) -> bool:
        """Wait for an open, restored connection; False when `timeout` seconds were too few."""
        return await wait_for_event(lambda: self.is_restored, self._restored_event, timeout)

    async def wait_until_saved(self, timeout: float) -> bool:
        """Wait until all messages and edits are in Redis; False when there was no time."""
        return await wait_for_event(
            lambda: not self.unsaved_messages and not self.unsaved_edits,
            self._saved_event,
            timeout,
        )

    # What connections bring (LifelineOwner).

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Return the restore request of a connection: who we are, and what we have."""
        position = self._sender.doubt_since or self._timeline.position
        held = position and self._tail.at(position.epoch, position.seq)
        return RestoreSession(
            session_id=self.session_id,
            client_id=self.client_id,
            generation=connection.generation,
            position=position,
            gap_ms=self._lifeline.calculate_gap_ms(),
            can=("migrate", "canvas", "replica", "batch", "regions"),
            held=msgspec.Raw(held or b"null"),
            region_proof=self._lifeline.region_proof,
        )

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""
        return bool(self.unsaved_messages or self.unsaved_edits)

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Handle a frame of any of our connections."""
        try:
            if isinstance(frame, bytes):
                self._canvas.take_frame(frame, is_current=connection is self._lifeline.current)
            else:
                self._on_text(connection, frame.encode())
        except ProtocolError as fault:
            self._listener.on_error(fault.code, fault.reason, time.monotonic())

    def on_lost(self) -> None:
        """Keep what is typed and drawn from now on for the next connection."""
        self._restored_event.clear()
        self._sender.lost()
        self._canvas.pause_sync()

    def _on_text(self, connection: Connection, frame: bytes) -> None:
        match parse_from_server(frame):
            case ChatEvent() as event:
                self._on_chat(connection, event, frame)
            case ChatEvents(events=events):
                for raw in events:  # one that cannot be read loses no other
                    self.on_frame(connection, bytes(raw).decode())
            case HistoryPage() as page:
                self._history.answer(page)
            case Ack(n=n, seq=seq):
                self._sender.answer(n, seq)
            case Saved(updates=updates) if connection is self._lifeline.current:
                self._canvas.take_saved(updates)
                self._listener.on_saved(self.unsaved_edits, time.monotonic())
                self._saved_event.set()
            case SessionRestored() as answer:
                self._on_restored(connection, answer)
            case OtherProtocol():
                connection.refuse(CloseCode.OTHER_PROTOCOL)
            case Authenticated(permit=permit):
                connection.permitted(permit)
            case Migrate() as order if connection is self._lifeline.current:
                self._lifeline.move(order)
            case Recall(epoch=epoch, after=after):
                events = [msgspec.Raw(event) for event in self._tail.after(epoch, after)]
                connection.send_text(_encode(RecalledEvents(epoch, events)))
            case ErrorMessage() as error:
                self._on_error(connection, error)

    def _on_chat(self, connection: Connection, event: ChatEvent, frame: bytes) -> None:
        self._listener.on_raw_chat(event, connection.generation, False, time.monotonic())
        if connection.epoch is None:
            raise ProtocolError("bad_message", "a chat event before session_restored")
        if self._is_ours(event):
            self._sender.notice(event)
        delivery = self._timeline.receive(connection.epoch, event)
        current = self._lifeline.current
        if not delivery.holes:
            self._tail.add(connection.epoch, event.seq, frame)
            self._deliver(delivery)
        elif current is not None and not current.is_restoring:
            # The replay brings the missing ones, this event, and those after it.
            self._deliver(delivery)
            current.ask_restore()

    def _on_restored(self, connection: Connection, answer: SessionRestored) -> None:
        history = parse_history(answer)
        connection.restored(answer)
        now = time.monotonic()
        for event, raw in zip(history, answer.chat_history, strict=True):
            self._listener.on_raw_chat(event, connection.generation, True, now)
            self._tail.add(answer.position.epoch, event.seq, bytes(raw))
        delivery = self._timeline.restore(connection.asked, answer.mode, answer.position, history)
        self.chat.features = answer.features
        self._subject = answer.permit.subject if answer.permit else None
        ours = [event for event in history if self._is_ours(event)]
        self._sender.restored(
            connection.asked,
            answer,
            ours,
            first_seq=min((event.seq for event in history), default=None),
            restarted=delivery.restarted,
        )
        if self._lifeline.is_next(connection):
            self._switch(connection, answer)
        elif connection is self._lifeline.current:
            self._sender.go_on()
        self._deliver(delivery)
        if delivery.is_behind:
            self.ask_restore()
        self._history.ask_again()

    def _is_ours(self, event: ChatEvent) -> bool:
        return event.client_id == self.client_id and event.by == self._subject

    def _switch(self, connection: Connection, answer: SessionRestored) -> None:
        """Use `connection`, which is restored, from now on.

        No await in here: what is typed goes to the old connection before this, and to
        the new one, after the resend, from here on. Nothing falls in between.
        """
        self._lifeline.promote(connection, answer)
        self._sender.go_on()
        connection.send_binary(self._canvas.begin_sync(answer.limits.frame_bytes))
        self._restored_event.set()

    def _deliver(self, delivery: Delivery[ChatEvent]) -> None:
        now = time.monotonic()
        if delivery.restarted:
            self._listener.on_log_restarted(now)
        for hole in delivery.holes:
            self._listener.on_hole(hole, now)
        for event in delivery.events:
            self._listener.on_chat(event, now)

    def _ask(self, question: History) -> None:
        if self._lifeline.current is not None:
            self._lifeline.current.send_text(_encode(question))

    # For the sender (SenderOwner).

    def transmit(self, messages: Sequence[Chat]) -> None:
        """Send messages on the current connection."""
        if self._lifeline.current is not None:
            for message in messages:
                self._lifeline.current.send_text(_encode(message))
            self._lifeline.current.expect_answer()

    def ask_restore(self) -> None:
        """Ask for a restore on the current connection, unless one is under way."""
        current = self._lifeline.current
        if current is not None and not current.is_restoring:
            current.ask_restore()

    def change_name(self) -> None:
        """Change to a new client_id, and reconnect with it."""
        self.client_id = _make_client_id()
        if self._lifeline.current is not None:
            self._lifeline.current.abandon()

    def on_acknowledged(self, numbers: Sequence[int], n: int, seq: int | None) -> None:
        """Report acknowledged messages to the listener."""
        now = time.monotonic()
        for acknowledged in numbers:
            self._listener.on_ack(acknowledged, seq if acknowledged == n else None, now)
        self._saved_event.set()

    def on_numbered(self, changes: Renumbered) -> None:
        """Report changed message numbers to the listener."""
        self._listener.on_numbered(changes, time.monotonic())

    def on_doubtful(self, message: Chat) -> None:
        """Report to the listener a message that is not sent again."""
        self._listener.on_doubtful(message.n, message.text, time.monotonic())
        self._saved_event.set()

    def on_refused(self, message: Chat, reason: str) -> None:
        """Report to the listener a message that the server will never accept."""
        self._listener.on_refused(message.n, message.text, reason, time.monotonic())
        self._saved_event.set()

    def _on_error(self, connection: Connection, error: ErrorMessage) -> None:
        self._listener.on_error(error.code, error.message, time.monotonic())
        if error.retry_after_ms is not None and connection.is_delayed_by(error):
            connection.ask_restore_later(read_wait_seconds(error.retry_after_ms))
        elif connection.is_delayed_by(error):
            asyncio.get_running_loop().call_later(self._pause(), connection.ask_restore)
        elif connection is self._lifeline.current:
            self._history.receive_error(error, self._pause())
            self._sender.receive_error(error)

    def _send_canvas(self, frame: bytes) -> None:
        if self._lifeline.current is not None:
            self._lifeline.current.send_binary(frame)
            self._lifeline.current.expect_answer()

    def _refuse_edit(self, reason: str) -> None:
        self._listener.on_error("too_large", reason, time.monotonic())

    def _pause(self) -> float:
        return self._uniform() * self._settings.resend_pause_seconds


def _make_client_id() -> str:
    return f"c-{uuid.uuid4().hex[:16]}"
