"""Send frames to one connection; while it is slow, queue them up to a bound in bytes."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from starlette.types import Message, Send

from isshoni.backend.tasks import start_once

QUEUE_LIMIT_BYTES = 1 << 20
"""The most bytes that wait for a slow client, beyond the buffers of the socket."""


class SendQueue:
    """Frames to one connection, in order; never waits, never raises.

    The fast path makes no task: `send` of the ASGI server is a coroutine that ends
    without suspending while the socket is writable, so it is driven by hand. A task for
    each delivery would cost more than the delivery itself. Only when the socket's buffer
    is full does the coroutine suspend; then a writer task takes it over where it stands,
    and later frames queue up behind it.
    """

    __slots__ = ("_closed", "_limit_bytes", "_on_overflow", "_queued", "_send", "_writer", "size")

    def __init__(
        self,
        send: Send,
        on_overflow: Callable[[], None],
        limit_bytes: int = QUEUE_LIMIT_BYTES,
    ) -> None:
        self._send = send
        self._on_overflow = on_overflow
        self._limit_bytes = limit_bytes
        self._queued: deque[tuple[Message, int]] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.size = 0
        """Bytes queued."""

    def put(self, message: Message, size_bytes: int) -> None:
        """Send a frame now, or queue it after those that wait."""
        if self._closed:
            return
        if self._writer is None:
            self._start(message)
        elif self.size + size_bytes > self._limit_bytes:
            self._on_overflow()
        else:
            self._enqueue(message, size_bytes)

    def close(self, code: int, *, discard: bool = False) -> None:
        """Close the connection after the queued frames, or discard them."""
        if self._closed:
            return
        message = {"type": "websocket.close", "code": int(code)}
        if self._writer is None:
            self._start(message)
        else:
            if discard and self._queued is not None:
                self._queued.clear()
            self._enqueue(message, 0)
        self._closed = True

    def stop(self) -> None:
        """Drop every frame: the WebSocket has ended."""
        self._closed = True
        if self._writer is not None:
            self._writer.cancel()

    def _enqueue(self, message: Message, size_bytes: int) -> None:
        if self._queued is None:
            self._queued = deque()
        self._queued.append((message, size_bytes))
        self.size += size_bytes

    def _start(self, message: Message) -> None:
        sending = self._send(message)
        assert isinstance(sending, Coroutine)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception:
            # The client is gone; the reader receives the end of the WebSocket by itself.
            self._closed = True
        else:
            self._writer = start_once(
                "send to a slow reader", self._write(_Started(sending, waits_for))
            )

    async def _write(self, started: "_Started") -> None:
        try:
            await started
            while self._queued:
                message, size_bytes = self._queued.popleft()
                self.size -= size_bytes
                await self._send(message)
        except Exception:
            self._closed = True
        self._writer = None
        self._queued = None
        self.size = 0


class _Started:
    """A coroutine that was driven up to its first suspension, awaitable from there."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        # The future which the coroutine yielded has to reach the task that waits now:
        # it is yielded once more, as it came; what follows, the coroutine yields itself.
        try:
            yield self._waits_for
        except BaseException:
            self._coroutine.close()
            raise
        yield from self._coroutine.__await__()
