"""Begin WebSocket handshakes a few at a time, so that a thousand at once stall nothing else."""

import asyncio
import select
import time
from collections import deque
from collections.abc import Callable

IN_A_TURN = 8
"""Handshakes that begin in any turn of the event loop: about three milliseconds of CPU."""
LONGEST_SECONDS = 0.05
"""The most time in a turn that further handshakes take."""

_ENDED = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def has_left(transport: asyncio.BaseTransport) -> bool:
    """True if the other side has closed a transport that is not read from."""
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return transport.is_closing()
    poll = select.poll()
    poll.register(socket.fileno(), _ENDED)
    return bool(poll.poll(0))


class HandshakePace:
    """The handshakes of one port that have arrived, in order.

    The event loop hands over everything that has arrived before it does anything else. When all
    clients come back at one moment, that would be seconds without a health check answered, a
    message delivered or a restore begun. While handshakes wait, they have half of the process: as
    much time in a turn as everything else took. By number alone, long turns would starve them.
    """

    def __init__(
        self, in_a_turn: int = IN_A_TURN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._in_a_turn = in_a_turn
        self._clock = clock
        self._begun = 0
        self._paused_at = 0.0
        self._waiting: deque[Callable[[], None]] = deque()
        self._turn: asyncio.Handle | None = None

    def begin(self, handshake: Callable[[], None]) -> bool:
        """Begin a handshake now, or in its turn; False if it waits."""
        if self._turn is None:
            self._schedule()
        if self._waiting or self._begun >= self._in_a_turn:
            self._waiting.append(handshake)
            return False
        self._begun += 1
        handshake()
        return True

    def _schedule(self) -> None:
        self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
        self._paused_at = self._clock()

    def _next_turn(self) -> None:
        self._turn, self._begun = None, 0
        now = self._clock()
        until = now + min(now - self._paused_at, LONGEST_SECONDS)
        try:
            while self._waiting and (self._begun < self._in_a_turn or self._clock() < until):
                self._begun += 1
                self._waiting.popleft()()
        finally:
            # Also if one fails: the others still have their turn.
            if self._begun:
                self._schedule()
