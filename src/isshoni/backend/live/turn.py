"""Write what one turn of the event loop queued, once for all connections."""

import asyncio
import weakref
from typing import Protocol
from weakref import WeakKeyDictionary

from isshoni.backend.tasks import failures


class Flushable(Protocol):
    """A queue that is written at the end of the turn."""

    def flush(self) -> None:
        """Write what is queued."""


class Turn:
    """The queues that have something to write at the end of this turn.

    One callback a turn for the whole process: one a connection would cost as much as the write.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Asking for the running one costs a system call. Weak, as it is the key of this object.
        self._loop = weakref.ref(loop)
        self._waiting: list[Flushable] = []
        self._writes: list[Flushable] = []
        """What is sent to the store, before anything is written to clients."""
        self._is_scheduled = False

    @classmethod
    def current(cls) -> "Turn":
        """Return that of the running event loop."""
        loop = asyncio.get_running_loop()
        if (turn := _turns.get(loop)) is None:
            turn = _turns[loop] = cls(loop)
        return turn

    def add(self, queue: Flushable) -> None:
        """Flush `queue` once what is ready now has been handled."""
        self._schedule()
        self._waiting.append(queue)

    def add_write(self, writes: Flushable) -> None:
        """Send `writes` to the store then."""
        self._schedule()
        self._writes.append(writes)

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            loop = self._loop()
            assert loop is not None
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write every queue that was added."""
        self._is_scheduled = False
        writes, self._writes = self._writes, []
        _flush_all(writes, "write to the store")
        # After those: a write that fails at once is answered in this turn.
        waiting, self._waiting = self._waiting, []
        _flush_all(waiting, "write to a connection")


def _flush_all(queues: list[Flushable], name: str) -> None:
    for queue in queues:
        try:
            queue.flush()
        except Exception as fault:
            failures.report(name, fault)  # the others are written


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turn] = WeakKeyDictionary()
