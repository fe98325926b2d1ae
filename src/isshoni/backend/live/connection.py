"""One connection as the session and the writers use it: its rights, its sending, its end."""

import asyncio
import time
from typing import Any

from starlette.types import Send

from isshoni.backend.context import BackendContext
from isshoni.backend.live.guard import Guard
from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.metrics.counters import Counters, Histograms
from isshoni.backend.security.auth import Permit
from isshoni.backend.store.ports import SessionStore
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import Migrate, Outbound, encode

CLOSE_SECONDS = 5.0
"""What a peer has to take the close frame, before it is given up."""


class Connection:
    """One WebSocket of one client, in one session."""

    __slots__ = (
        "_abandoned",
        "_context",
        "_idle",
        "_opened_at",
        "_queue",
        "_task",
        "author",
        "can_canvas",
        "can_migrate",
        "can_replica",
        "generation",
        "gone",
        "guard",
        "in_flight",
        "is_closing",
        "is_finishing",
        "is_idle",
        "said_goodbye",
        "session_id",
        "speaks_json",
        "takes_canvas",
        "takes_chat",
        "takes_elements",
    )

    def __init__(
        self, context: BackendContext, session_id: str, permit: Permit, send: Send
    ) -> None:
        self.session_id = session_id
        self.in_flight = InFlight()
        self.takes_chat = self.takes_canvas = self.takes_elements = False
        self.can_migrate = self.can_canvas = self.can_replica = self.gone = False
        self.said_goodbye = False
        """True if the peer closed with 1000: it has moved, or has announced that it leaves."""
        self._context = context
        self.guard = Guard(context, session_id, permit)
        self._opened_at = time.monotonic()
        self._queue = SendQueue(send, self._overflow)
        self.author = ""
        """The key that the client's messages are stored under; empty before its restore."""
        self.generation = 0
        self.speaks_json = False
        self.is_closing = self.is_finishing = self._abandoned = False
        self.is_idle = False
        """True while no frame is being handled."""
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
        elif not (self.takes_chat or self.takes_canvas or self.is_closing) and (
            time.monotonic() - self._opened_at > self.guard.limits.hello_seconds
        ):
            self.counters.closed_no_hello += 1
            self.close(CloseCode.NO_HELLO)

    def _expire(self) -> None:
        if not self.is_closing:
            self.counters.expired += 1
            self.close(CloseCode.UNAUTHENTICATED)

    # Sending

    def send(self, outgoing: Outgoing) -> None:
        """Send a frame, or queue it; never waits and never raises."""
        self._queue.put(outgoing.message, outgoing.size_bytes)

    def tell(self, message: Outbound) -> None:
        """Send a text frame, if this client speaks JSON."""
        if self.speaks_json:
            self.send_json(encode(message))

    def send_json(self, frame: bytes) -> None:
        """Send a text frame that is encoded already."""
        self.send(Outgoing.text(frame))

    def ask_to_move(self, to: str, within_seconds: float) -> None:
        """Ask the client to move to the other colour."""
        ticket = self._context.tickets.issue(self.session_id, to, self.guard.permit)
        self.tell(Migrate(to, ticket, round(within_seconds * 1000)))

    # Ending

    def start(self) -> None:
        """Remember the current task as the one that reads this connection."""
        self._task = asyncio.current_task()

    @property
    def is_abandoned(self) -> bool:
        """True if the reading task was cancelled because the peer reads no close frame."""
        return self._abandoned

    def end(self) -> None:
        """Send nothing more: the WebSocket has ended."""
        self.is_closing = True
        self._queue.stop()
        self.report_idle()

    async def finish(self, code: CloseCode) -> None:
        """Close once all that came is written and acknowledged."""
        self.is_finishing = self.guard.is_lenient = True
        # Again and again: a frame may come to hand while the writes are waited for, and
        # whoever handles it may wait for the same writes.
        while not self.is_closing and not (self.is_idle and self.in_flight.is_empty):
            if not self.is_idle:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
            await self.in_flight.wait_until_below(1)
        self.close(code)

    async def wait_until_gone(self) -> None:
        """Wait until the WebSocket has ended."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def report_idle(self) -> None:
        """Let `finish` go on: no frame is being handled."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def close(self, code: CloseCode, *, discard: bool = False) -> None:
        """Close, behind what is queued or instead of it; nothing it says counts any more."""
        if self.is_closing:
            return
        self.is_closing = True
        self._queue.close(code, discard=discard)
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abandon)

    def _abandon(self) -> None:
        # It reads nothing, not even a close frame.
        if self._task is not None and not self._task.done():
            self._abandoned = True
            self._task.cancel()

    def _overflow(self) -> None:
        self.counters.overflows += 1
        log_event("slow_reader", session=self.session_id, client=self.author)
        self.close(CloseCode.RESUME, discard=True)

    def fail(self, fault: Exception) -> None:
        """End this connection for a fault of ours; no other is touched."""
        self.counters.connections_failed += 1
        log_fault("connection_failed", fault, session=self.session_id)
        self.close(CloseCode.INTERNAL_ERROR)
