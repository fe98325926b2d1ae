"""Write the canvas updates of one session that arrive together as one entry of the log."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.whole_canvas import check_decodes
from isshoni.backend.tasks import start_once
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_parts import join_updates
from isshoni.session.yjs_walk import BrokenUpdate

BATCH_BYTES = 64 * 1024
"""A batch is closed when it has this size; a larger update is a batch of its own."""


class CanvasBatch:
    """Updates that are written to Redis in one call.

    It is done once all of them are in Redis, or the write failed or was cancelled.
    """

    __slots__ = ("_in_flights", "_is_done", "contents", "fault", "is_cancelled", "size", "updates")

    def __init__(self) -> None:
        self.updates: list[bytes] = []
        self.contents: list[Contents | None] = []
        self.size = 0
        self.fault: Exception | None = None
        """Why it is not in Redis, or not all of it; None if it is."""
        self.is_cancelled = False
        self._is_done = False
        self._in_flights: list[InFlight] = []

    @property
    def is_done(self) -> bool:
        """True once Redis has all of it, or the write failed or was cancelled."""
        return self._is_done

    def settle_when_done(self, in_flight: InFlight) -> None:
        """Settle the writes of a connection, one of which this batch is, once it is done."""
        self._in_flights.append(in_flight)

    def end(self, fault: Exception | None = None) -> None:
        """End it: Redis has all of it, unless there is a `fault`."""
        self.fault = fault
        self._end()

    def cancel(self) -> None:
        """End it without an outcome: no connection is answered."""
        self.is_cancelled = True
        self._end()

    def _end(self) -> None:
        self._is_done = True
        in_flights, self._in_flights = self._in_flights, []
        for in_flight in in_flights:
            in_flight.settle()

    def has_room(self, size_bytes: int) -> bool:
        """True if an update of that size may be added."""
        return not self.updates or self.size + size_bytes <= BATCH_BYTES


class CanvasBatches:
    """Batches of one session: while one is written, the next one collects.

    An entry of the log costs Redis, and every process and viewer of the session, about the same
    whether it has one small change or a hundred.
    """

    def __init__(self, append: Callable[[bytes], Awaitable[None]]) -> None:
        self._append = append
        self._waiting: list[CanvasBatch] = []
        self._writer: asyncio.Task[None] | None = None

    def add(self, update: bytes, contents: Contents | None) -> CanvasBatch:
        """Add an update that `check_update` accepted; return the batch that it is in.

        Without its contents it is not joined with others.
        """
        batch = self._waiting[-1] if self._waiting else None
        if batch is None or not batch.has_room(len(update)):
            batch = CanvasBatch()
            self._waiting.append(batch)
        batch.updates.append(update)
        batch.contents.append(contents)
        batch.size += len(update)
        if self._writer is None:
            self._writer = start_once("write canvas changes", self._write_all())
        return batch

    def drop(self, is_unsent: Callable[["asyncio.Task[None]"], bool]) -> None:
        """Drop every update if nothing of them was sent to Redis."""
        if self._writer is None or not is_unsent(self._writer):
            return
        self._writer.cancel()
        for batch in self._waiting:
            batch.cancel()
        self._waiting.clear()

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(0)  # for what other connections received in this turn
            while self._waiting:
                batch = self._waiting.pop(0)
                try:
                    for update in join_if_safe(batch.updates, batch.contents):
                        await self._append(update)
                except Exception as fault:
                    batch.end(fault)
                except BaseException:
                    batch.cancel()
                    raise
                else:
                    batch.end()
        finally:
            self._writer = None


def join_if_safe(updates: list[bytes], contents: list[Contents | None]) -> list[bytes]:
    """Return the updates joined; unchanged if that could break one of them.

    That is so for characters that an edit can cut in two, and for updates of unknown contents.
    """
    known = [one for one in contents if one is not None]
    if len(updates) == 1 or len(known) < len(updates) or any([one.has_pairs for one in known]):
        return updates
    try:
        joined = join_updates(known)
        for update in joined:
            check_decodes(update)
    except BrokenUpdate:
        return updates  # each was checked: what one of them breaks does not concern the others
    return joined
