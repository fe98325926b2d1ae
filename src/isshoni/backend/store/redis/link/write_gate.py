"""Let writes to Redis pass, or hold and refuse them while this region may not write."""

import asyncio
import math
from collections import deque

from isshoni.backend.store.redis.link.errors import NotWriter

READS = frozenset(
    b"EXISTS GET HEXISTS HGET HKEYS HLEN HMGET INFO PING ROLE SCAN SPUBLISH "
    b"XLEN XRANGE XREVRANGE".split()
)
"""Commands that write nothing; every other one passes the gate."""


class WriteGate:
    """Every write of this process to its Redis passes here, so none can be forgotten.

    While it is closed, writes that may wait do so in the order in which they came; each other one
    is refused. A write that passed is in flight until Redis has answered.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.keeps_waiting = False
        """True while a closed gate lets writes wait."""
        self.why = ""
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[object]] = set()
        self._released = 0
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()

    def open(self) -> None:
        """Let every write pass, those that wait first."""
        self.is_open = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._released += 1
                waiter.set_result(None)

    def close(self, why: str, *, keeps_waiting: bool) -> None:
        """Let no write pass; those in flight go on. Those that wait are refused, unless kept."""
        self.is_open, self.why, self.keeps_waiting = False, why, keeps_waiting
        while self._waiting and not keeps_waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(NotWriter(why))

    @property
    def waiting(self) -> int:
        """The number of writes that wait."""
        return len(self._tasks)

    def holds(self, task: "asyncio.Task[object]") -> bool:
        """True if the write of a task waits here: nothing of it was sent to Redis."""
        return task in self._tasks

    async def enter(self, wait_seconds: float) -> None:
        """Pass, after at most `wait_seconds`; raises `NotWriter`. `leave` must follow."""
        waited = False
        # While those that waited are on their way, later ones queue behind them.
        while not self.is_open or (self._released and wait_seconds and not waited):
            if not self.is_open and not self._may_wait(wait_seconds):
                raise NotWriter(self.why)
            await self._wait(wait_seconds)
            waited = True
        self.in_flight += 1
        self._idle.clear()

    def _may_wait(self, wait_seconds: float) -> bool:
        return self.keeps_waiting and wait_seconds > 0

    async def _wait(self, wait_seconds: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            limit = None if wait_seconds == math.inf else wait_seconds
            async with asyncio.timeout(limit):
                await waiter
        except TimeoutError:
            raise NotWriter(self.why) from None
        finally:
            self._tasks.discard(task)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._released -= 1
                if not self._released and self.is_open:
                    self.open()

    def enter_at_once(self) -> bool:
        """Pass without waiting; False if that is not possible. If True, `leave` must follow."""
        if not self.is_open or self._released:
            return False
        self.in_flight += 1
        self._idle.clear()
        return True

    def leave(self) -> None:
        """Record that Redis has answered a write, or that it failed."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no write is in flight; False if one still is after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
