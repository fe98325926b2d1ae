"""One TCP connection to Redis: requests go out in order, answers come back in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import hiredis

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.address import RedisAddress
from isshoni.backend.store.redis.link.durability import GroupWait
from isshoni.backend.store.redis.link.errors import ErrorReply
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.settings import LinkSettings

Argument = bytes | str | int | float
_INCOMPLETE = object()
_TICKS_A_TIMEOUT = 4
_KEEP_REPLICA_SECONDS = 0.5
"""How long, at least, a connection to a server that became a replica is kept for reading."""


class PushHandler(Protocol):
    """Handles the messages that Redis sends without a command."""

    def handle_publication(self, channel: bytes, message: bytes) -> None:
        """Handle a publication."""

    def handle_lost(self, channel: bytes) -> bool:
        """Handle the end of a subscription; False if this process unsubscribed."""


class _Awaited(Protocol):
    """What waits for an answer: a future, or a callback."""

    def done(self) -> bool:
        """True if the answer is of no use any more."""

    def set_result(self, result: Any, /) -> None:
        """Pass the answer on."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Report that the command failed."""


class _Callback:
    """Passes an answer on at once; a future would do it one turn of the loop later."""

    __slots__ = ("set_exception", "set_result")

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self.set_result = self.set_exception = answer

    def done(self) -> bool:
        """Return False: it can always be called."""
        return False


class RedisConnection(asyncio.Protocol):
    """Many callers share it: the n-th answer belongs to the n-th request.

    All commands of one turn of the event loop leave in one write. When the
    connection is lost, every command without an answer fails with
    `StoreUnavailable`: it may or may not have been carried out.
    """

    def __init__(
        self,
        address: RedisAddress,
        settings: LinkSettings,
        meter: RedisMeter,
        push_handler: PushHandler | None = None,
    ) -> None:
        self._address = address
        self._settings = settings
        self._meter = meter
        self._push_handler = push_handler
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=ErrorReply, notEnoughData=_INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._pending: deque[tuple[_Awaited, float]] = deque()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._reason = "it closed the connection"
        self._opened_at = self._loop.time()
        self._overdue = False
        self._watchdog: asyncio.TimerHandle | None = None
        self._group_wait: GroupWait | None = None
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Its result is the reason, once the connection is closed."""

    @property
    def open(self) -> bool:
        """True if commands can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def idle(self) -> bool:
        """True if it is open and every command has its answer."""
        return self.open and not self._pending

    @property
    def shortage(self) -> str | None:
        """On how many replicas writes are while they are acknowledged with too few, or None."""
        return self._group_wait.shortage if self._group_wait is not None else None

    def execute(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future returns its answer, or raises `StoreUnavailable`.

        Raises `StoreUnavailable` at once, with nothing sent, when the connection
        is gone or too much is waiting.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._send(command, answer)
        return answer

    def execute_then(self, command: Sequence[Argument], answer: Callable[[Any], None]) -> None:
        """Send a command like `execute`; `answer` is called with its answer or an exception.

        It is called while what arrived is being read, and must not raise.
        """
        self._send(command, _Callback(answer))

    def _send(self, command: Sequence[Argument], answer: "_Awaited") -> None:
        self._refuse_if_full()
        packed = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub says 1-tuple
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        self._unsent_bytes += len(packed)
        self._pending.append((answer, self._loop.time()))

    async def confirm(self) -> None:
        """Return once all earlier writes here are as durable as the settings demand."""
        if self._settings.durability is None:
            return
        if self._group_wait is None:
            self._group_wait = GroupWait(self, self._settings.durability, self._meter)
        await self._group_wait.confirm()

    def abort(self, reason: str) -> None:
        """Drop the connection now."""
        if self._transport is not None and self.open:
            self._reason = reason
            self._transport.abort()

    async def drop(self, reason: str) -> None:
        """Drop the connection and wait until it is closed."""
        self.abort(reason)
        if self._transport is not None:
            await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: the transports of uvloop are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._schedule_watchdog()

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            if self._pending:
                # Of a batch only the first is measured, which waited longest.
                self._meter.latency.add(self._loop.time() - self._pending[0][1])
            gets, push = self._reader.gets, self._push_handler
            while (reply := gets()) is not _INCOMPLETE:
                if push is None or not _handle_push(reply, push):
                    self._handle_answer(reply)
        except hiredis.HiredisError as fault:
            self.abort(f"it does not speak the Redis protocol: {fault}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        reason = self._reason = str(exc) if exc else self._reason
        self._meter.errors += len(self._pending)
        while self._pending:
            answer, _ = self._pending.popleft()
            if not answer.done():
                answer.set_exception(
                    StoreUnavailable(
                        f"Redis at {self._address} was lost before it answered ({reason}): "
                        "the command may or may not have been done"
                    )
                )
        if not self.closed.done():
            self.closed.set_result(reason)

    def _refuse_if_full(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            self._meter.errors += 1
            raise StoreUnavailable(f"Redis at {self._address} is not connected: {self._reason}")
        if (
            len(self._pending) >= self._settings.max_pending
            or self._unsent_bytes + transport.get_write_buffer_size()
            > self._settings.max_unsent_bytes
        ):
            self._meter.errors += 1
            raise StoreUnavailable(
                f"Redis at {self._address} is too slow: {len(self._pending)} commands are waiting"
            )

    def _flush(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if self._transport is not None and self.open:
            self._transport.write(data)

    def _handle_answer(self, reply: Any) -> None:
        if not self._pending:
            self.abort(f"it sent an answer without a command: {reply!r:.80}")
            return
        answer, _ = self._pending.popleft()
        if isinstance(reply, ErrorReply):
            self._handle_error(answer, reply)
        elif not answer.done():
            answer.set_result(reply)

    def _handle_error(self, answer: "_Awaited", error: ErrorReply) -> None:
        if error.code != "NOSCRIPT":
            self._meter.errors += 1
        if not answer.done():
            answer.set_exception(error)
        if error.code == "READONLY":
            # A demoted primary: only looking its name up again finds the new one. One that
            # stays a replica can still be read, so this is not done at every write.
            keep_until = self._opened_at + _KEEP_REPLICA_SECONDS
            self._loop.call_at(keep_until, self.abort, "the server became a read-only replica")

    def _schedule_watchdog(self) -> None:
        tick_seconds = self._settings.command_timeout_seconds / _TICKS_A_TIMEOUT
        self._watchdog = self._loop.call_later(tick_seconds, self._watch)

    def _watch(self) -> None:
        """Drop a connection whose oldest command is overdue.

        Only after two checks in a row: after a stall of this process the answers may have arrived,
        unread.
        """
        limit_seconds = self._settings.command_timeout_seconds
        was_overdue = self._overdue
        self._overdue = (
            bool(self._pending) and self._loop.time() - self._pending[0][1] >= limit_seconds
        )
        if was_overdue and self._overdue:
            self.abort(f"it gave no answer within {limit_seconds:g} s")
        else:
            self._schedule_watchdog()


def _handle_push(reply: Any, handler: PushHandler) -> bool:
    """Handle a message that answers no command; False if it is an answer."""
    if type(reply) is not list or len(reply) != 3:
        return False
    if reply[0] == b"smessage":
        handler.handle_publication(reply[1], reply[2])
        return True
    # Redis sends it also without a command, when the channel's slot goes to another node.
    return reply[0] == b"sunsubscribe" and handler.handle_lost(reply[1])
