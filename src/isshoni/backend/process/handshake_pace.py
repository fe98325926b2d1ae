"""Begin WebSocket handshakes a few at a time, so that a thousand at once stall nothing else."""

import asyncio
from collections import deque
from collections.abc import Callable

IN_A_TURN = 8
"""Handshakes that begin in one turn of the event loop: about three milliseconds of CPU."""


class HandshakePace:
    """The handshakes of one port that have arrived, in order.

    The event loop hands over everything that has arrived before it does anything else. When all
    clients come back at one moment, that would be seconds without a health check answered, a
    message delivered or a restore begun.
    """

    def __init__(self, in_a_turn: int = IN_A_TURN) -> None:
        self._in_a_turn = in_a_turn
        self._begun = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._turn: asyncio.Handle | None = None

    def begin(self, handshake: Callable[[], None]) -> bool:
        """Begin a handshake now, or in its turn; False if it waits."""
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
        if self._waiting or self._begun >= self._in_a_turn:
            self._waiting.append(handshake)
            return False
        self._begun += 1
        handshake()
        return True

    def _next_turn(self) -> None:
        self._turn, self._begun = None, min(self._in_a_turn, len(self._waiting))
        if self._begun:
            # Before the handshakes: one that fails must not keep the others waiting.
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
        for _ in range(self._begun):
            self._waiting.popleft()()
