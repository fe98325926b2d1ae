"""A person's or bot's place in a session, whatever happens to the connections."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

import msgspec
from pycrdt import Doc

from isshoni.client.canvas import Canvas
from isshoni.client.connection import Connection
from isshoni.client.errors import InvalidIdentifier, InvalidText
from isshoni.client.lifeline import Lifeline
from isshoni.client.listener import ClientListener
from isshoni.client.settings import ClientSettings
from isshoni.client.token import Token, TokenSource
from isshoni.session.errors import ProtocolError
from isshoni.session.from_server import ChatEvent, parse_from_server, parse_history
from isshoni.session.identifiers import is_identifier
from isshoni.session.messages import (
    MAX_TEXT_CHARACTERS,
    MESSAGES_AFTER_PAUSE,
    Ack,
    Authenticated,
    Chat,
    ErrorMessage,
    Migrate,
    Recall,
    RecalledEvents,
    RestoreSession,
    Saved,
    SessionRestored,
)
from isshoni.session.outbox import Outbox
from isshoni.session.recovery import EventTail
from isshoni.session.timeline import Delivery, Timeline

_encode = msgspec.json.Encoder().encode


class SessionClient:
    """A client of one session: sends, draws and listens, connected or not.

    What is sent is kept in the outbox, and drawn into the document, until it is known to
    be in Redis; the `Lifeline` under it brings the connections on which it travels.
    `query` (`?target=green&ticket=…`) is for who must come to one colour, and no other.
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
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.session_id = session_id
        self.client_id = client_id or _make_client_id()
        for field, value in (("session_id", session_id), ("client_id", self.client_id)):
            if not is_identifier(value):
                raise InvalidIdentifier(field, value)
        self._listener = listener or ClientListener()
        self._settings = settings or ClientSettings()
        self._uniform = uniform
        self._outbox = Outbox()
        self._timeline: Timeline[ChatEvent] = Timeline()
        self._tail = EventTail()
        self._canvas = Canvas(self._send_canvas, self._refuse_edit)
        self._lifeline = Lifeline(
            f"{url.rstrip('/')}/ws/{session_id}",
            query,
            self,
            self._listener,
            self._settings,
            TokenSource(token, self._settings.token_timeout_seconds),
            uniform,
        )
        self._resend_timer: asyncio.TimerHandle | None = None
        self._resend_from = 0
        self._pace_seconds: float | None = None
        """Between the parts of a resend, when the server told us that we are too fast."""
        self._restored_event = asyncio.Event()
        self._saved_event = asyncio.Event()

    # What a user does.

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._lifeline.open()

    async def aclose(self) -> None:
        """Say goodbye; what is not saved by now is given up."""
        self._cancel_resend()
        await self._lifeline.aclose()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def is_restored(self) -> bool:
        """Whether there is an open, restored connection."""
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
        return len(self._outbox)

    @property
    def unsaved_edits(self) -> int:
        """How many of our canvas edits are not known to be in Redis."""
        return self._canvas.unsaved_edits

    def send_chat(self, text: str) -> int:
        """Send a message, now or once connected; gives its n."""
        has_lone_surrogates = text.encode(errors="ignore").decode() != text
        if not 1 <= len(text) <= MAX_TEXT_CHARACTERS or has_lone_surrogates:
            raise InvalidText(len(text))
        message = self._outbox.add(text)
        # While a resend is due, what is new waits for it: it would only make a gap.
        if self._resend_timer is None:
            self._send([message])
        return message.n

    def draw(self, element_id: str, element: dict[str, Any]) -> None:
        """Put an element (plain JSON) on the canvas, now or once connected."""
        self._canvas.draw(element_id, element)

    def erase(self, element_id: str) -> None:
        """Take an element off the canvas, if it is there."""
        self._canvas.erase(element_id)

    async def wait_until_restored(self, timeout: float) -> bool:
        """Wait for an open, restored connection; False when `timeout` seconds were too few."""
        return await _wait(lambda: self.is_restored, self._restored_event, timeout)

    async def wait_until_saved(self, timeout: float) -> bool:
        """Wait until all messages and edits are in Redis; False when there was no time."""
        return await _wait(
            lambda: not self.unsaved_messages and not self.unsaved_edits,
            self._saved_event,
            timeout,
        )

    # What connections bring (LifelineOwner).

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Say who we are and what we have, as of now."""
        position = self._timeline.position
        held = position and self._tail.at(position.epoch, position.seq)
        return RestoreSession(
            session_id=self.session_id,
            client_id=self.client_id,
            generation=connection.generation,
            position=position,
            gap_ms=self._lifeline.calculate_gap_ms(),
            can=("migrate", "canvas", "replica"),
            held=msgspec.Raw(held or b"null"),
        )

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Take a frame from any of our connections."""
        try:
            if isinstance(frame, bytes):
                self._canvas.take_frame(frame, is_current=connection is self._lifeline.current)
            else:
                self._on_text(connection, frame)
        except ProtocolError as fault:
            self._listener.on_error(fault.code, fault.reason, time.monotonic())

    def on_lost(self) -> None:
        """Keep what is typed and drawn from now on for the next connection."""
        self._restored_event.clear()
        self._cancel_resend()
        self._canvas.pause_sync()

    def _on_text(self, connection: Connection, frame: str) -> None:
        match parse_from_server(frame):
            case ChatEvent() as event:
                self._on_chat(connection, event, frame)
            case Ack(n=n, seq=seq):
                self._acknowledge(n, seq)
            case Saved(updates=updates) if connection is self._lifeline.current:
                self._canvas.take_saved(updates)
                self._listener.on_saved(self.unsaved_edits, time.monotonic())
                self._saved_event.set()
            case SessionRestored() as answer:
                self._on_restored(connection, answer)
            case Authenticated(permit=permit):
                connection.permitted(permit)
            case Migrate(to=to, ticket=ticket) if connection is self._lifeline.current:
                self._lifeline.move(to, ticket)
            case Recall(epoch=epoch, after=after):
                events = [msgspec.Raw(event) for event in self._tail.after(epoch, after)]
                connection.send_text(_encode(RecalledEvents(epoch, events)))
            case ErrorMessage() as error:
                self._on_error(connection, error)

    def _on_chat(self, connection: Connection, event: ChatEvent, frame: str) -> None:
        self._listener.on_raw_chat(event, connection.generation, False, time.monotonic())
        if connection.epoch is None:
            raise ProtocolError("bad_message", "a chat event before session_restored")
        delivery = self._timeline.receive(connection.epoch, event)
        current = self._lifeline.current
        if not delivery.holes:
            self._tail.add(connection.epoch, event.seq, frame.encode())
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
        self._take_back_lost(answer.last_n, restarted=delivery.restarted)
        if self._lifeline.is_next(connection):
            self._switch(connection, answer)
        else:
            self._acknowledge(answer.last_n, None)
        self._deliver(delivery)

    def _take_back_lost(self, last_n: int, *, restarted: bool) -> None:
        """Send again what was acknowledged and is no longer in the log.

        A log that merely forgot us (it says 0, and is the same one) has lost nothing.
        """
        if (last_n or restarted) and self._outbox.take_back(last_n):
            self._resend_soon(last_n + 1)

    def _switch(self, connection: Connection, answer: SessionRestored) -> None:
        """Go over to `connection`, which is restored.

        No await in here: what is typed goes to the old connection before this, and to
        the new one, after the resend, from here on. Nothing falls in between.
        """
        self._lifeline.promote(connection)
        self._cancel_resend()
        self._acknowledge(answer.last_n, None)
        self._send(self._outbox.pending())
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

    def _acknowledge(self, n: int, seq: int | None) -> None:
        now = time.monotonic()
        for acknowledged in self._outbox.acknowledge(n):
            self._listener.on_ack(acknowledged, seq if acknowledged == n else None, now)
        self._saved_event.set()

    def _on_error(self, connection: Connection, error: ErrorMessage) -> None:
        self._listener.on_error(error.code, error.message, time.monotonic())
        if error.code == "not_ready" and connection.is_restoring:
            asyncio.get_running_loop().call_later(self._pause(), connection.ask_restore)
        elif connection is self._lifeline.current:
            if error.code == "gap" and error.expected is not None:
                self._fill_gap(connection, error.expected)
            elif error.code == "not_saved" and error.n is not None:
                self._resend_soon(error.n)
            elif error.code == "rate_limited" and error.n is not None:
                pace_seconds = (error.retry_after_ms or 0) / 1000
                self._pace_seconds = min(pace_seconds, self._settings.max_pace_seconds)
                self._resend_soon(error.n)

    def _fill_gap(self, connection: Connection, expected: int) -> None:
        if not self._outbox.can_send_from(expected):
            self._outbox.take_back(expected - 1)
        if self._outbox.can_send_from(expected):
            self._resend_soon(expected)
            return
        # The log lost more of ours than we keep, and would wait for it for ever: what we
        # have goes in under another name.
        self.client_id = _make_client_id()
        self._outbox.renumber()
        connection.abandon()

    def _resend_soon(self, n: int) -> None:
        if self._resend_timer is not None:
            self._resend_from = min(self._resend_from, n)
            return
        self._resend_from = n
        loop = asyncio.get_running_loop()
        delay_seconds = self._pause() + (self._pace_seconds or 0.0)
        self._resend_timer = loop.call_later(delay_seconds, self._resend_now)

    def _resend_now(self) -> None:
        self._resend_timer = None
        due = self._outbox.resend_from(self._resend_from)
        if self._pace_seconds is None:
            self._send(due)
            return
        now, later = due[:MESSAGES_AFTER_PAUSE], due[MESSAGES_AFTER_PAUSE:]
        self._send(now)
        if later:
            self._resend_soon(later[0].n)
        else:
            self._pace_seconds = None

    def _cancel_resend(self) -> None:
        if self._resend_timer is not None:
            self._resend_timer.cancel()
            self._resend_timer = None
        self._pace_seconds = None

    def _send(self, messages: list[Chat]) -> None:
        current = self._lifeline.current
        if current is not None:
            for message in messages:
                current.send_text(_encode(message))

    def _send_canvas(self, frame: bytes) -> None:
        if self._lifeline.current is not None:
            self._lifeline.current.send_binary(frame)

    def _refuse_edit(self, reason: str) -> None:
        self._listener.on_error("too_large", reason, time.monotonic())

    def _pause(self) -> float:
        return self._uniform() * self._settings.resend_pause_seconds


def _make_client_id() -> str:
    return f"c-{uuid.uuid4().hex[:16]}"


async def _wait(condition: Callable[[], bool], event: asyncio.Event, timeout: float) -> bool:
    """Wait for `condition`, looking again each time that `event` is set."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():
                event.clear()
                await event.wait()
    except TimeoutError:
        return False
    return True
