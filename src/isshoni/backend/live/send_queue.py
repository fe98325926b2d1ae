"""Queue the frames of one connection: for the end of the turn, or until its socket has room."""

import asyncio
from collections.abc import Callable

from isshoni.backend.live.held_bytes import HeldBytes
from isshoni.backend.live.outgoing import Sendable
from isshoni.backend.live.turn import Turn
from isshoni.backend.live.wire import Wire

QUEUE_LIMIT_BYTES = 1 << 20
"""The most bytes that wait for a slow client, beyond the buffers of the socket."""
CORK_BYTES = 64 << 10
"""From this size on, frames are written before the turn of the event loop ends."""


class SendQueue:
    """Frames to one connection, in order; never waits, never raises.

    All frames of one turn of the event loop leave in one write at its end: the system call
    costs more than everything else that a delivery needs. While the socket has no room, frames
    wait here, up to a bound in bytes.
    """

    __slots__ = (
        "_account",
        "_close_code",
        "_corked",
        "_corked_bytes",
        "_counted_bytes",
        "_drained",
        "_is_closed",
        "_limit_bytes",
        "_on_overflow",
        "_turn",
        "_waiting",
        "_wire",
        "size",
    )

    def __init__(
        self,
        wire: Wire,
        on_overflow: Callable[[], None],
        limit_bytes: int = QUEUE_LIMIT_BYTES,
    ) -> None:
        self._wire = wire
        self._on_overflow = on_overflow
        self._limit_bytes = limit_bytes
        self._turn = Turn.current()
        self._corked: list[Sendable] | None = None
        """Those of this turn; None if there are none, as in most connections at most times."""
        self._corked_bytes = 0
        self._waiting: list[Sendable] | None = None
        """Those of earlier turns, for which the socket had no room."""
        self._drained: asyncio.Future[None] | None = None
        self._account: HeldBytes | None = None
        self._counted_bytes = 0
        self._is_closed = False
        self._close_code: int | None = None
        """The code of a close frame that waits behind the others."""
        self.size = 0
        """Bytes of the frames of earlier turns."""
        wire.attach(self)

    def put(self, frame: Sendable) -> None:
        """Queue a frame; it is written at the end of the turn if the socket has room."""
        if self._is_closed:
            return
        if self._corked is None:
            self._corked = [frame]
            self._turn.add(self)
        else:
            self._corked.append(frame)
        self._corked_bytes += frame.size_bytes
        if self._corked_bytes >= CORK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is queued as far as the socket has room; count what has to wait."""
        if self._waiting is not None:
            self._write_waiting()
        corked, self._corked, self._corked_bytes = self._corked, None, 0
        if corked is not None:
            if self._waiting is None and self._wire.is_writable:
                self._wire.write(corked)
            else:
                self._keep(corked)
        if self._close_code is not None and self._waiting is None and self._wire.is_writable:
            code, self._close_code = self._close_code, None
            self._wire.close(code)
        if self._counted_bytes or not self._wire.is_writable:
            self.recount()
        if self._drained is not None and self._is_drained:
            self._wake()

    def count_for(self, account: HeldBytes | None) -> None:
        """Count what is kept for this client with that of its address."""
        self._account = account

    @property
    def held_bytes(self) -> int:
        """What is kept for the client: here, in the buffer of the socket, and of its own frames."""
        return self.size + self._wire.held_bytes

    def recount(self) -> bool:
        """Count what is kept now; False, and an overflow, if its address has too much."""
        if self._account is None:
            return True
        held = self.held_bytes
        grows, self._counted_bytes = held - self._counted_bytes, held
        self._account.add(grows)
        if grows > 0 and self._account.is_over and not self._is_closed:
            self._discard()
            self._on_overflow()
        return not self._account.is_over

    async def wait_until_drained(self) -> None:
        """Wait until no frame is queued, or the queue is stopped."""
        while not (self._is_closed or self._is_drained):
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    @property
    def _is_drained(self) -> bool:
        return self._corked is None and self._waiting is None and self._wire.is_writable

    def _wake(self) -> None:
        """Wake those that wait until it is drained."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def close(self, code: int, *, discard: bool = False) -> None:
        """Close the connection after the queued frames, or discard them."""
        if self._is_closed:
            return
        self._is_closed = True
        if discard:
            self._discard()
            self._wire.close(code)
        else:
            self._close_code = code
            self.flush()

    def stop(self) -> None:
        """Drop every frame: the WebSocket has ended."""
        self._is_closed = True
        self._close_code = None
        self._discard()
        self._on_overflow = _ignore_overflow  # it has the connection, which has this queue
        self._wire.stop()
        if self._account is not None:
            self._account.add(-self._counted_bytes)
            self._account, self._counted_bytes = None, 0

    def _discard(self) -> None:
        self._corked, self._corked_bytes, self._waiting, self.size = None, 0, None, 0
        self._wake()

    def _write_waiting(self) -> None:
        waiting = self._waiting or []
        written = 0
        while written < len(waiting) and self._wire.is_writable:
            piece: list[Sendable] = []
            size_bytes = 0
            while written < len(waiting) and size_bytes < CORK_BYTES:
                frame = waiting[written]
                piece.append(frame)
                size_bytes += len(frame.seal())
                written += 1
            self.size -= size_bytes
            self._wire.write(piece)
        del waiting[:written]
        if not waiting:
            self._waiting = None

    def _keep(self, frames: list[Sendable]) -> None:
        """Let frames wait for room in the socket, or report that there are too many."""
        self.size += sum([len(frame.seal()) for frame in frames])
        if self.size > self._limit_bytes:
            self._discard()
            if not self._is_closed:
                self._on_overflow()
        elif self._waiting is None:
            self._waiting = frames
        else:
            self._waiting += frames


def _ignore_overflow() -> None:
    """Do nothing: the queue is stopped."""
