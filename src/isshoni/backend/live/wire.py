"""The sending side of one WebSocket: directly, or through any ASGI server."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Protocol

from starlette.types import Message, Scope, Send

from isshoni.backend.live.outgoing import Sendable
from isshoni.backend.tasks import start_once

EXTENSION = "isshoni.wire"
"""The ASGI extension under which our server offers its `Wire`."""


HandleText = Callable[[str], bool]
HandleBinary = Callable[[bytes], bool]


class Sender(Protocol):
    """A queue of frames that are written to a wire."""

    def flush(self) -> None:
        """Write what is queued, as far as the wire is writable."""

    def recount(self) -> bool:
        """Count again what is kept for the client; False if its address has too much."""


class Wire(Protocol):
    """Writes frames to one client; never waits, never raises."""

    @property
    def is_writable(self) -> bool:
        """False while the buffer of the socket is full."""

    @property
    def held_bytes(self) -> int:
        """The bytes in the buffer of the socket, and those of a frame that is not complete."""

    def attach(self, sender: Sender) -> None:
        """Let `sender` flush when there is room again, and before a close frame is sent."""

    def receive_with(self, handle: HandleText) -> None:
        """Call `handle` with each text frame that arrives while the reader waits for one.

        If it returns False, the reader receives the frame. A server may leave all of them to it.
        """

    def receive_binary_with(self, handle: HandleBinary) -> None:
        """Call `handle` with each binary frame, as `receive_with` does with a text frame."""

    def write(self, frames: Sequence[Sendable]) -> None:
        """Write frames in one system call."""

    def close(self, code: int) -> None:
        """Send a close frame after what was written."""

    def stop(self) -> None:
        """Stop every write: the WebSocket has ended."""


def find_wire(scope: Scope, send: Send) -> Wire:
    """Return the server's own wire; over `send` if the server has none."""
    wire: Wire | None = (scope.get("extensions") or {}).get(EXTENSION)
    return wire or AsgiWire(send)


class AsgiWire:
    """A wire over the `send` of any ASGI server.

    `send` is a coroutine that ends without suspending while the socket is writable, so it is
    driven by hand. Only when it suspends does a task take it over where it is.
    """

    __slots__ = ("_is_gone", "_send", "_sender", "_writer")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sender: Sender | None = None
        self._writer: asyncio.Task[None] | None = None
        self._is_gone = False

    @property
    def is_writable(self) -> bool:
        """False while a frame waits for room."""
        return self._writer is None

    @property
    def held_bytes(self) -> int:
        """0: the buffers are the server's, and their size is not known."""
        return 0

    def attach(self, sender: Sender) -> None:
        """Let `sender` flush when there is room again."""
        self._sender = sender

    def receive_with(self, handle: HandleText) -> None:
        """Do nothing: the server has no other way than `receive`."""

    def receive_binary_with(self, handle: HandleBinary) -> None:
        """Do nothing, as `receive_with`."""

    def write(self, frames: Sequence[Sendable]) -> None:
        """Write frames, one after another."""
        self._start([message for frame in frames for message in frame.messages()])

    def close(self, code: int) -> None:
        """Send a close frame after what was written."""
        message = {"type": "websocket.close", "code": int(code)}
        if self._writer is None:
            self._start([message])
        else:
            start_once("close a slow reader", self._close_after(self._writer, message))

    def stop(self) -> None:
        """Stop every write: the WebSocket has ended."""
        self._is_gone = True
        if self._writer is not None:
            self._writer.cancel()

    def _start(self, messages: list[Message]) -> None:
        while messages and not self._is_gone:
            sending = self._send(messages.pop(0))
            assert isinstance(sending, Coroutine)
            try:
                waits_for = sending.send(None)
            except StopIteration:
                continue
            except Exception:
                # The client is gone; the reader receives the end of the WebSocket by itself.
                self._is_gone = True
            else:
                rest = self._write(_Started(sending, waits_for), messages)
                self._writer = start_once("send to a slow reader", rest)
                return

    async def _write(self, started: "_Started", messages: list[Message]) -> None:
        try:
            await started
            for message in messages:
                await self._send(message)
        except Exception:
            self._is_gone = True
        self._writer = None
        if self._sender is not None:
            self._sender.flush()

    async def _close_after(self, writer: "asyncio.Task[None]", message: Message) -> None:
        await asyncio.wait((writer,))
        self._start([message])


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
