"""One WebSocket connection: its rights, its send queue, its state and its end."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from isshoni.backend.context import BackendContext
from isshoni.backend.live.guard import Guard
from isshoni.backend.live.held_bytes import HeldBytes
from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.outgoing import Outgoing, Sendable
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.live.wire import Wire
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters, Histograms
from isshoni.backend.security.auth import Permit
from isshoni.backend.store.ports import SessionStore
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import Migrate, Outbound, encode
from isshoni.session.server.connection_events import (
    AcceptAnyRate,
    CancelReading,
    CloseAsked,
    CloseTimedOut,
    Effect,
    Event,
    FinishAsked,
    FrameReceived,
    SendClose,
    StartCloseTimer,
    StopSending,
    WritesSettled,
)
from isshoni.session.server.connection_states import (
    Closed,
    Closing,
    Connecting,
    Ending,
    Finishing,
    State,
    transition,
)

CLOSE_SECONDS = 5.0
"""Seconds that the client may take to answer the close frame."""


class Connection:
    """One WebSocket of one client, in one session.

    Its state is one of `connection_states`; `apply` is the only place that changes it, and runs
    the effects of the change.
    """

    __slots__ = (
        "_context",
        "_opened_at",
        "_queue",
        "_state",
        "_task",
        "_waiter",
        "client",
        "frame_in_hand",
        "guard",
        "has_dropped",
        "in_flight",
        "is_closing",
        "is_finishing",
        "on_client_change",
        "session_id",
    )

    def __init__(
        self, context: BackendContext, session_id: str, permit: Permit, wire: Wire
    ) -> None:
        self.session_id = session_id
        self.guard = Guard(context, session_id, permit)
        self.in_flight = InFlight()
        self.frame_in_hand = True
        """False while the reader waits for a frame."""
        self._context = context
        self._opened_at = time.monotonic()
        self._queue = SendQueue(wire, self._overflow)
        self._state: State = Connecting()
        # Copied from the state, because every frame needs them:
        self.client = self._state.client
        self.on_client_change: Callable[[], None] | None = None
        """Called after `client` changed, and with it what the connection is sent."""
        self.has_dropped = False
        """True once a write was dropped: the client sends it again in the region that writes. No
        later one may be written here, and none is acknowledged."""
        self.is_finishing = False
        """True after `finish`, while frames that had already arrived are handled."""
        self.is_closing = False
        """True from the moment the close frame is sent or queued."""
        self._waiter: asyncio.Future[None] | None = None
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

    # State

    def apply(self, event: Event) -> None:
        """Handle an event: change the state, and run the effects of the change."""
        state, effects = transition(self._state, event)
        is_same_client = state.client is self.client
        self._state, self.client = state, state.client
        if not is_same_client and self.on_client_change is not None:
            self.on_client_change()
        self.is_finishing = isinstance(state, Finishing)
        self.is_closing = isinstance(state, Closing | Closed)
        for effect in effects:
            self._run(effect)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _run(self, effect: Effect) -> None:
        match effect:
            case SendClose():
                self._queue.close(effect.code, discard=effect.discard)
            case StartCloseTimer():
                loop = asyncio.get_running_loop()
                loop.call_later(CLOSE_SECONDS, self.apply, CloseTimedOut())
            case AcceptAnyRate():
                self.guard.is_lenient = True
            case CancelReading():
                if self._task is not None:
                    self._task.cancel()
            case StopSending():
                self._queue.stop()

    @property
    def gone(self) -> bool:
        """True once the WebSocket has ended."""
        return isinstance(self._state, Closed)

    @property
    def ending(self) -> Ending | None:
        """How the connection ended; None before it has."""
        return self._state.ending if isinstance(self._state, Closed) else None

    # Rights and time

    def check_may_write(self, n: int | None = None) -> None:
        """Raise `ProtocolError` unless this connection may change the session."""
        guard = self.guard
        if guard.may_write():
            return
        if guard.has_expired(time.time()):
            self._expire()
        guard.check_may_write(n)

    def check_time(self, now: float) -> None:
        """Close if the token has expired, or if the client sent nothing but pings in time.

        `now` is in seconds since 1970.
        """
        if self.guard.has_expired(now):
            self._expire()
        elif self._is_idle() and (
            time.monotonic() - self._opened_at > self.guard.limits.hello_seconds
        ):
            self.counters.closed_no_hello += 1
            self.close(CloseCode.NO_HELLO)

    def _is_idle(self) -> bool:
        """True if the client neither takes part in the session nor waits for its restore."""
        client = self.client
        return not (
            client.takes_chat or client.takes_canvas or self.is_closing or self.frame_in_hand
        )

    def _expire(self) -> None:
        if not self.is_closing:
            self.counters.expired += 1
            self.close(CloseCode.UNAUTHENTICATED)

    # Sending

    def send(self, outgoing: Sendable) -> None:
        """Send frames at the end of this turn of the loop; never waits and never raises."""
        self._queue.put(outgoing)

    def count_for(self, account: HeldBytes | None) -> None:
        """Count the bytes that are kept for this connection with those of its address."""
        self._queue.count_for(account)

    @property
    def held_bytes(self) -> int:
        """The bytes that are kept for it: to be read, or of a frame that is not complete."""
        return self._queue.held_bytes

    async def wait_until_drained(self) -> None:
        """Wait until no frame waits for the client to read, or the connection ends."""
        await self._queue.wait_until_drained()

    def send_message(self, message: Outbound) -> None:
        """Send a text frame, if this client speaks JSON."""
        if self.client.speaks_json:
            self._queue.put(Outgoing.text(encode(message)))

    def send_json(self, frame: bytes) -> None:
        """Send a text frame that is already encoded."""
        self.send(Outgoing.text(frame))

    def ask_to_move(self, to: str, within_seconds: float, address: str | None = None) -> None:
        """Ask the client to move to the other colour, or to the region at `address`."""
        ticket = self._context.tickets.issue(self.session_id, to, self.guard.permit)
        within_ms = round(within_seconds * 1000)
        self.send_message(Migrate(to, ticket, within_ms, address or UNSET))

    # Ending

    def start(self) -> None:
        """Remember the current task as the one that reads this connection."""
        self._task = asyncio.current_task()

    def mark_frame_received(self) -> None:
        """Record that a frame was received, so that `finish` waits until it is handled."""
        self.frame_in_hand = True
        if self.is_finishing:
            self.apply(FrameReceived())

    def close(self, code: CloseCode, *, discard: bool = False) -> None:
        """Close after the queued frames, or discard them; drop later frames of the client."""
        self.apply(CloseAsked(code, discard))

    def fail(self, fault: Exception) -> None:
        """Close because of a fault of this process; other connections are not affected."""
        self.counters.connections_failed += 1
        log_fault("connection_failed", fault, session=self.session_id)
        self.close(CloseCode.INTERNAL_ERROR)

    async def finish(self, code: CloseCode) -> None:
        """Close once every frame that has arrived is handled and every write is answered."""
        self.apply(FinishAsked(code, self.frame_in_hand))
        while isinstance(self._state, Finishing):
            if self._state.frame_in_hand:
                await self._wait_for_change()
            else:
                await self.in_flight.wait_until_below(1)
                self.apply(WritesSettled())

    async def wait_until_gone(self) -> None:
        """Wait until the WebSocket has ended."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _wait_for_change(self) -> None:
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)

    def _overflow(self) -> None:
        self.counters.overflows += 1
        log_event("slow_reader", session=self.session_id, client=self.client.author)
        self.close(CloseCode.RESUME, discard=True)
