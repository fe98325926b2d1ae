"""Ping every open WebSocket in turn, and end those that do not answer."""

import asyncio
from typing import Protocol

_PARTS = 20


class Pinged(Protocol):
    """A connection that can be pinged."""

    def ping(self, payload: bytes) -> None:
        """Send a ping; end the connection if the one before was not answered."""


class Heartbeat:
    """Pings each connection once in `interval_seconds`.

    One timer for the process instead of one or two for each connection. A twentieth of the
    connections is pinged at a time; a client has one interval to answer.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._tick_seconds = interval_seconds / _PARTS
        self._parts: list[dict[Pinged, None]] = [{} for _ in range(_PARTS)]
        self._number = self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Pinged) -> None:
        """Ping a connection from now on."""
        # Into the smallest part: those that connect in one moment are pinged at several.
        min(self._parts, key=len)[connection] = None
        if self._timer is None and self._tick_seconds > 0:
            self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self.tick)

    def discard(self, connection: Pinged) -> None:
        """Ping a connection no more."""
        for part in self._parts:
            if part.pop(connection, self) is None:
                return

    def tick(self) -> None:
        """Ping the next part of the connections."""
        self._timer = None
        self._number += 1
        payload = self._number.to_bytes(4, "big")
        part = self._parts[self._next]
        self._next = (self._next + 1) % _PARTS
        for connection in list(part):
            connection.ping(payload)
        if any(self._parts):
            self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self.tick)
