"""One connection: what it says, what it is told, how it ends."""

import asyncio
import secrets
import time
from typing import Any

import msgspec
from starlette.types import Message, Receive, Send

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.canvas_writer import CanvasWriter
from isshoni.backend.live.chat_writer import ChatWriter
from isshoni.backend.live.guard import Guard
from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters, Histograms
from isshoni.backend.security.auth import Permit
from isshoni.backend.store.ports import SessionStore
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import (
    SERVER_LIMITS,
    Authenticate,
    Authenticated,
    Chat,
    ErrorMessage,
    Migrate,
    Outbound,
    Ping,
    RecalledEvents,
    RestoreSession,
    SessionRestored,
    encode,
    encode_pong,
    parse_inbound,
)

MAX_BAD_FRAMES = 50
CLOSE_SECONDS = 5.0
"""What a peer has to take the close frame, before it is given up."""


class Connection:
    """One WebSocket of one client, in one session."""

    __slots__ = (
        "_abandoned",
        "_bad_frames",
        "_canvas",
        "_chat",
        "_closing",
        "_context",
        "_finishing",
        "_generation",
        "_idle",
        "_opened_at",
        "_queue",
        "_receive",
        "_speaks_json",
        "_task",
        "_waits",
        "author",
        "can_canvas",
        "can_migrate",
        "can_replica",
        "gone",
        "guard",
        "in_flight",
        "said_goodbye",
        "session",
        "takes_canvas",
        "takes_chat",
        "takes_elements",
    )

    def __init__(
        self,
        context: BackendContext,
        session: LiveSession,
        permit: Permit,
        receive: Receive,
        send: Send,
    ) -> None:
        self.session = session
        self.in_flight = InFlight()
        self.takes_chat = self.takes_canvas = self.takes_elements = False
        self.can_migrate = self.can_canvas = self.can_replica = self.gone = False
        self.said_goodbye = False
        """Whether the peer closed with 1000: it has moved, or has said itself that it leaves."""
        self._context = context
        self.guard = Guard(context, session.session_id, permit)
        self._opened_at = time.monotonic()
        self._receive = receive
        self._queue = SendQueue(send, self._overflow)
        self._chat: ChatWriter | None = None
        self._canvas: CanvasWriter | None = None
        self.author = ""
        """The key that the client's messages are stored under; empty before its restore."""
        self._generation = 0
        self._bad_frames = 0
        self._speaks_json = False
        self._closing = self._finishing = self._waits = self._abandoned = False
        self._idle: asyncio.Future[None] | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def store(self) -> SessionStore:
        """The store of this process."""
        return self._context.store

    @property
    def counters(self) -> Counters:
        """The counters of this process."""
        return self._context.counters

    @property
    def histograms(self) -> Histograms:
        """The histograms of this process."""
        return self._context.histograms

    # Receiving

    async def run(self) -> None:
        """Serve the connection until it is gone."""
        self._task = asyncio.current_task()
        try:
            while (message := await self._next_message()) is not None:
                await self._handle(message)
            if self._finishing:
                await self._read_until_gone()
        except asyncio.CancelledError:
            if not self._abandoned:
                raise
        except Exception as fault:
            self.fail(fault)
        finally:
            self._closing = True
            self._queue.stop()
            self._report_idle()

    async def _next_message(self) -> Message | None:
        """Give the next frame; None when the peer is gone, or all was read that came."""
        if self._finishing:
            return await self._next_already_received()
        self._waits = True
        message = await self._receive()
        self._waits = False  # from here on a frame is in hand
        return self._note_goodbye(message)

    async def _next_already_received(self) -> Message | None:
        try:
            # With no time at all, receive() gives what is there and never waits.
            async with asyncio.timeout(0):
                message = await self._receive()
        except TimeoutError:
            self._waits = True
            self._report_idle()
            return None
        return self._note_goodbye(message)

    def _note_goodbye(self, message: Message) -> Message | None:
        if message["type"] != "websocket.disconnect":
            return message
        code = message.get("code")
        self.said_goodbye = code == CloseCode.NORMAL
        if code == CloseCode.TOO_LARGE:
            self.counters.frames_too_large += 1
            log_event("frame_too_large", session=self.session.session_id, client=self.author)
        return None

    async def _read_until_gone(self) -> None:
        while (await self._receive())["type"] != "websocket.disconnect":
            pass

    async def _handle(self, message: Message) -> None:
        if self._closing:
            return
        try:
            text = message.get("text")
            if text is not None:
                await self._handle_text(text)
            else:
                await self._handle_binary(message["bytes"])
        except ProtocolError as fault:
            self._refuse(fault)
        except StoreUnavailable:
            self.counters.redis_errors += 1
            self._refuse(ProtocolError("not_ready", "Redis cannot be read; ask again"))

    async def _handle_text(self, text: str) -> None:
        self._speaks_json = True
        message = parse_inbound(text)
        if isinstance(message, Chat):
            await self._write_chat(message)
            return
        self.guard.take_request(costly=isinstance(message, RestoreSession))
        if isinstance(message, Ping):
            self._send_json(encode_pong(message))
        elif isinstance(message, Authenticate):
            self.tell(Authenticated(self.guard.renew(message.token)))
        elif isinstance(message, RestoreSession):
            await self._restore(message)
        elif isinstance(message, RecalledEvents):
            self.session.take_recalled(self, message)  # its own restore may be waiting for it
        elif self._chat is None:
            raise ProtocolError("not_restored", "send restore_session first")
        else:
            self.tell(await self.session.page_before(message.before, message.limit))

    async def _write_chat(self, message: Chat) -> None:
        if self._chat is None:
            raise ProtocolError("not_restored", "send restore_session first", n=message.n)
        try:
            self.check_may_write(message.n)
            self.guard.take_chat(message.n)
        except ProtocolError:
            self._chat.note_refused(message.n)
            raise
        await self._chat.write(message)

    async def _handle_binary(self, frame: bytes) -> None:
        if self._canvas is None:
            self._canvas = CanvasWriter(self)
            self.takes_canvas = True
        await self._canvas.handle(frame)

    def _refuse(self, fault: ProtocolError) -> None:
        self.tell(
            ErrorMessage(
                fault.code,
                fault.reason,
                n=fault.n,
                expected=fault.expected,
                retry_after_ms=fault.retry_after_ms,
            )
        )
        if fault.code == "rate_limited" and self.guard.never_slows_down():
            self.close(CloseCode.TOO_FAST)
        if fault.is_of_the_moment:
            return
        self.counters.bad_frames += 1
        self._bad_frames += 1
        if self._bad_frames > MAX_BAD_FRAMES:
            self.close(CloseCode.BAD_FRAMES)

    # Rights and rates

    def check_may_write(self, n: int | None = None) -> None:
        """Raise `ProtocolError` unless this connection may change the session."""
        if self.guard.has_expired(time.time()):
            self._expire()
        self.guard.check_may_write(n)

    def check_time(self, now: float) -> None:
        """Close if the token is over, or if nothing but silence and pings ever came."""
        if self.guard.has_expired(now):
            self._expire()
        elif not (self.takes_chat or self.takes_canvas or self._closing) and (
            time.monotonic() - self._opened_at > self.guard.limits.hello_seconds
        ):
            self.counters.closed_no_hello += 1
            self.close(CloseCode.NO_HELLO)

    def _expire(self) -> None:
        if not self._closing:
            self.counters.expired += 1
            self.close(CloseCode.UNAUTHENTICATED)

    # Restoring

    async def _restore(self, request: RestoreSession) -> None:
        if request.session_id != self.session.session_id:
            here = self.session.session_id
            raise ProtocolError("wrong_session", f"this connection is to session {here}")
        await self.in_flight.wait_until_below(1)
        began = time.monotonic()
        try:
            await self._restore_from_store(request)
        except StoreUnavailable:
            self.counters.redis_errors += 1
            self.counters.restore_failures += 1
            raise ProtocolError("not_ready", "the session cannot be read; ask again") from None
        finally:
            self._context.gauges.restore_seconds.note(time.monotonic() - began)

    async def _restore_from_store(self, request: RestoreSession) -> None:
        session = self.session
        client_id = request.client_id or f"c-{secrets.token_hex(8)}"
        can_canvas = "canvas" in request.can
        await session.ensure_loaded()
        self.can_replica = "replica" in request.can
        await self._meet_log(request)
        canvas = None if can_canvas else await session.ensure_canvas()
        author = self.guard.permit.author_key(client_id)
        last_n = await self.store.last_n(session.session_id, author) if request.client_id else 0
        history = await session.history_since(request.position)
        # From here to the end nothing may wait: the answer and what follows it must meet.
        elements = None if canvas is None else canvas.document.elements()
        restored = SessionRestored(
            session_id=session.session_id,
            client_id=client_id,
            mode=history.mode,
            position=history.position,
            last_n=last_n,
            chat_history=[msgspec.Raw(event) for event in history.events],
            canvas_state=elements,
            server=self._context.identity,
            permit=self.guard.grant(),
            limits=SERVER_LIMITS,
        )
        self.author, self._generation = author, request.generation
        self._chat = ChatWriter(self, self.guard.permit, client_id, last_n)
        self.can_canvas, self.can_migrate = can_canvas, "migrate" in request.can
        self.takes_chat, self.takes_elements = True, not can_canvas
        session.note_generation(author, request.generation)
        self.counters.restores += 1
        if request.gap_ms is not None:
            self.histograms.gap_seconds.note(request.gap_ms / 1000)
        self.tell(restored)

    async def _meet_log(self, request: RestoreSession) -> None:
        """See that the log is whole; this client may be the one that can make it so."""
        if await self.session.needs_copy(self, request.position, bytes(request.held)):
            raise ProtocolError("not_ready", "the log is being made whole; ask again")

    def is_superseded(self) -> bool:
        """Say whether the client has a newer connection here."""
        return self.session.newest_generation(self.author) > self._generation

    # Sending

    def send(self, outgoing: Outgoing) -> None:
        """Send a frame, or queue it; never waits and never raises."""
        self._queue.put(outgoing.message, outgoing.size_bytes)

    def tell(self, message: Outbound) -> None:
        """Send a text frame, if this client speaks JSON."""
        if self._speaks_json:
            self._send_json(encode(message))

    def _send_json(self, frame: bytes) -> None:
        self.send(Outgoing.text(frame))

    def ask_to_move(self, to: str, within_seconds: float) -> None:
        """Ask the client to move to the other colour."""
        ticket = self._context.tickets.issue(self.session.session_id, to, self.guard.permit)
        self.tell(Migrate(to, ticket, round(within_seconds * 1000)))

    # Ending

    async def finish(self, code: CloseCode) -> None:
        """Close once all that came is written and acknowledged."""
        self._finishing = self.guard.is_lenient = True
        # Again and again: a frame may come to hand while the writes are waited for, and
        # whoever handles it may wait for the same writes.
        while not self._closing and not (self._waits and self.in_flight.is_empty):
            if not self._waits:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
            await self.in_flight.wait_until_below(1)
        self.close(code)

    async def wait_until_gone(self) -> None:
        """Wait until the WebSocket has ended."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def _report_idle(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def close(self, code: CloseCode, *, discard: bool = False) -> None:
        """Close, behind what is queued or instead of it; nothing it says counts any more."""
        if self._closing:
            return
        self._closing = True
        self._queue.close(code, discard=discard)
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abandon)

    def _abandon(self) -> None:
        # It reads nothing, not even a close frame.
        if self._task is not None and not self._task.done():
            self._abandoned = True
            self._task.cancel()

    def _overflow(self) -> None:
        self.counters.overflows += 1
        log_event("slow_reader", session=self.session.session_id, client=self.author)
        self.close(CloseCode.RESUME, discard=True)

    def fail(self, fault: Exception) -> None:
        """End this connection for a fault of ours; no other is touched."""
        self.counters.connections_failed += 1
        log_fault("connection_failed", fault, session=self.session.session_id)
        self.close(CloseCode.INTERNAL_ERROR)
