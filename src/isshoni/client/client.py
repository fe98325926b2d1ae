"""A person's or bot's place in a session, whatever happens to the connections."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from pycrdt import Doc

from isshoni.client.canvas import Canvas
from isshoni.client.connection import Connection
from isshoni.client.errors import InvalidIdentifier, InvalidText
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.session.backoff import Backoff
from isshoni.session.close_codes import should_come_back, should_come_back_at_once
from isshoni.session.errors import ProtocolError
from isshoni.session.from_server import ChatEvent, parse_from_server, parse_history
from isshoni.session.identifiers import is_identifier
from isshoni.session.messages import (
    MAX_TEXT_CHARACTERS,
    Ack,
    Chat,
    ErrorMessage,
    Migrate,
    RestoreSession,
    Saved,
    SessionRestored,
)
from isshoni.session.outbox import Outbox
from isshoni.session.timeline import Delivery, Timeline

_encode = msgspec.json.Encoder().encode


class SessionClient:
    """A client of one session: sends, draws and listens, connected or not.

    It holds one connection (`_current`), and beside it at most one that is on its way
    (`_next`): a return after a loss, or a move. Everything else that still lives has
    been said goodbye to, and only brings its last events.
    """

    def __init__(
        self,
        url: str,
        session_id: str,
        *,
        client_id: str | None = None,
        listener: ClientListener | None = None,
        settings: ClientSettings | None = None,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.session_id = session_id
        self.client_id = client_id or f"c-{uuid.uuid4().hex[:16]}"
        for field, value in (("session_id", session_id), ("client_id", self.client_id)):
            if not is_identifier(value):
                raise InvalidIdentifier(field, value)
        self._url = f"{url.rstrip('/')}/ws/{session_id}"
        self._listener = listener or ClientListener()
        self._settings = settings or ClientSettings()
        self._uniform = uniform
        self._backoff = Backoff(self._settings.backoff, uniform)
        self._outbox = Outbox()
        self._timeline: Timeline[ChatEvent] = Timeline()
        self._canvas = Canvas(self._send_canvas)
        self._generation = 0
        self._current: Connection | None = None
        self._next: Connection | None = None
        self._next_is_move = False
        self._connections: set[Connection] = set()
        self._lost_at: float | None = None
        self._return_timer: asyncio.TimerHandle | None = None
        self._resend_timer: asyncio.TimerHandle | None = None
        self._resend_from = 0
        self._closed = False
        self._restored_event = asyncio.Event()
        self._saved_event = asyncio.Event()

    # What a user does.

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._open()

    async def aclose(self) -> None:
        """Say goodbye; what is not saved by now is given up."""
        self._closed = True
        self._cancel_timers()
        connections = list(self._connections)
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.wait_ended()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def is_restored(self) -> bool:
        """Whether there is an open, restored connection."""
        return self._current is not None

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
        if not 1 <= len(text) <= MAX_TEXT_CHARACTERS or not _is_unicode(text):
            raise InvalidText(len(text))
        message = self._outbox.add(text)
        # While a resend is due, what is new waits for it: it would only make a gap.
        if self._current is not None and self._resend_timer is None:
            self._current.send_text(_encode(message))
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

    # What connections tell (ConnectionOwner).

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Say who we are and what we have, as of now."""
        return RestoreSession(
            session_id=self.session_id,
            client_id=self.client_id,
            generation=connection.generation,
            position=self._timeline.position,
            can=("migrate", "canvas"),
        )

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Take a frame from any of our connections."""
        try:
            if isinstance(frame, bytes):
                self._canvas.take_frame(frame, is_current=connection is self._current)
            else:
                self._on_text(connection, frame)
        except ProtocolError as fault:
            self._listener.on_error(fault.code, fault.reason, time.monotonic())

    def on_end(self, connection: Connection, close_code: int, since: float) -> None:
        """Come back, stay, or stay away, now that a connection is gone."""
        self._connections.discard(connection)
        if self._closed:
            return
        if connection is self._next:
            self._on_next_failed(close_code)
        elif connection is self._current:
            self._on_current_lost(connection, close_code, since)

    def _on_text(self, connection: Connection, frame: str) -> None:
        match parse_from_server(frame):
            case ChatEvent() as event:
                self._on_chat(connection, event)
            case Ack(n=n, seq=seq):
                self._acknowledge(n, seq)
            case Saved(updates=updates) if connection is self._current:
                self._canvas.take_saved(updates)
                self._listener.on_saved(self.unsaved_edits, time.monotonic())
                self._saved_event.set()
            case SessionRestored() as answer:
                self._on_restored(connection, answer)
            case Migrate() as request if connection is self._current:
                self._move(request)
            case ErrorMessage() as error:
                self._on_error(connection, error)

    def _on_chat(self, connection: Connection, event: ChatEvent) -> None:
        self._listener.on_raw_chat(event, connection.generation, False, time.monotonic())
        if connection.epoch is None:
            raise ProtocolError("bad_message", "a chat event before session_restored")
        delivery = self._timeline.receive(connection.epoch, event)
        if not delivery.holes:
            self._deliver(delivery)
        elif self._current is not None and not self._current.is_restoring:
            # The replay brings the missing ones, this event, and those after it.
            self._deliver(delivery)
            self._current.ask_restore()

    def _on_restored(self, connection: Connection, answer: SessionRestored) -> None:
        history = parse_history(answer)
        connection.restored(answer.position.epoch, answer.server)
        now = time.monotonic()
        for event in history:
            self._listener.on_raw_chat(event, connection.generation, True, now)
        delivery = self._timeline.restore(connection.asked, answer.mode, answer.position, history)
        if connection is self._next:
            self._switch(connection, answer.last_n, now)
        else:
            self._acknowledge(answer.last_n, None)
        self._deliver(delivery)

    def _switch(self, connection: Connection, last_n: int, now: float) -> None:
        """Make `connection` the current one.

        No await in here: what is typed goes to the old connection before this, and to
        the new one, after the resend, from here on. Nothing falls in between.
        """
        old, self._current, self._next = self._current, connection, None
        self._backoff.restored(now)
        self._cancel_timers()
        self._acknowledge(last_n, None)
        self._resend(self._outbox.pending())
        connection.send_binary(self._canvas.begin_sync())
        self._restored_event.set()
        gap_seconds = 0.0 if old else None if self._lost_at is None else now - self._lost_at
        self._lost_at = None
        state = ConnectionState.MOVED if old else ConnectionState.RESTORED
        self._tell(state, connection, now, gap_seconds=gap_seconds)
        if old is not None:
            old.close()

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
        elif connection is self._current:
            if error.code == "gap" and error.expected is not None:
                self._resend_soon(error.expected)
            elif error.code == "not_saved" and error.n is not None:
                self._resend_soon(error.n)

    # How it keeps a connection.

    def _open(self, query: str = "") -> None:
        self._generation += 1
        self._next_is_move = bool(query)
        self._next = Connection(self._url + query, self._generation, self, self._settings)
        self._connections.add(self._next)

    def _move(self, request: Migrate) -> None:
        if self._next is None and not self._closed:
            self._open("?" + urlencode({"target": request.to, "ticket": request.ticket}))

    def _on_next_failed(self, close_code: int) -> None:
        failed, self._next = self._next, None
        assert failed is not None
        now = time.monotonic()
        if self._current is not None:
            self._listener.on_error("move_failed", f"closed with {close_code}", now)
        elif self._next_is_move or should_come_back(close_code):
            self._return_soon(close_code)
        else:
            self._tell(ConnectionState.REFUSED, failed, now, close_code=close_code)

    def _on_current_lost(self, lost: Connection, close_code: int, since: float) -> None:
        self._current = None
        self._lost_at = since
        self._restored_event.clear()
        self._cancel_timers()
        self._canvas.pause_sync()
        self._tell(ConnectionState.LOST, lost, since, close_code=close_code)
        if not should_come_back(close_code):
            if self._next is not None:
                self._next.close()
            self._tell(ConnectionState.REFUSED, lost, since, close_code=close_code)
        elif self._next is None:
            self._return_soon(close_code)
        else:
            # A move was under way: it becomes the return, if it is soon.
            self._return_timer = asyncio.get_running_loop().call_later(
                self._settings.abandoned_move_seconds, self._next.abandon
            )

    def _return_soon(self, close_code: int) -> None:
        self._cancel_timers()
        prompt = should_come_back_at_once(close_code)
        delay = self._backoff.next_delay_seconds(time.monotonic(), prompt=prompt)
        self._return_timer = asyncio.get_running_loop().call_later(delay, self._open)

    def _resend_soon(self, n: int) -> None:
        if self._resend_timer is not None:
            self._resend_from = min(self._resend_from, n)
            return
        self._resend_from = n
        self._resend_timer = asyncio.get_running_loop().call_later(self._pause(), self._resend_now)

    def _resend_now(self) -> None:
        self._resend_timer = None
        self._resend(self._outbox.resend_from(self._resend_from))

    def _resend(self, messages: list[Chat]) -> None:
        assert self._current is not None
        for message in messages:
            self._current.send_text(_encode(message))

    def _send_canvas(self, frame: bytes) -> None:
        if self._current is not None:
            self._current.send_binary(frame)

    def _pause(self) -> float:
        return self._uniform() * self._settings.resend_pause_seconds

    def _cancel_timers(self) -> None:
        for timer in (self._return_timer, self._resend_timer):
            if timer is not None:
                timer.cancel()
        self._return_timer = self._resend_timer = None

    def _tell(
        self,
        state: ConnectionState,
        connection: Connection,
        at: float,
        *,
        gap_seconds: float | None = None,
        close_code: int | None = None,
    ) -> None:
        server = connection.server
        change = ConnectionChange(
            state=state,
            generation=connection.generation,
            server_version=server.version if server else None,
            colour=server.colour if server else None,
            gap_seconds=gap_seconds,
            close_code=close_code,
        )
        self._listener.on_connection(change, at)


def _is_unicode(text: str) -> bool:
    """Say whether `text` is free of lone surrogates, which UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
