"""Follow a log: deliver each entry once, in order, without holes."""

import asyncio
from collections.abc import Awaitable, Callable

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_fault
from isshoni.backend.store.ports import Entry
from isshoni.backend.tasks import start_lasting

MAX_HELD = 4096
TRAIL = 32
"""The number of last entries whose hashes are remembered."""
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)

Read = Callable[[int], Awaitable[list[Entry]]]


class LogFeed:
    """The entries of one log after a position, delivered in order of seq.

    Publications are the fast path, and may be lost. One that skips a seq is held, and
    the missing entries are read from the log; publications that arrive during the read are
    held too.
    """

    def __init__(
        self,
        read: Read,
        deliver: Callable[[Entry], None],
        on_lost: Callable[[], None],
        on_other_log: Callable[[], None] | None = None,
        trail: int = TRAIL,
    ) -> None:
        self._read = read
        self._deliver = deliver
        self._on_lost = on_lost
        self._on_other_log = on_other_log or on_lost
        self._held: dict[int, Entry] = {}
        self._holding = False
        self._started = False
        self._read_again = False
        self._filling: asyncio.Task[None] | None = None
        self.position = 0
        self.last: Entry | None = None
        """The entry at `position`; None if it was not read."""
        # Of 64 bits, and keyed at random in each process; a SHA-1 takes ten times as long.
        self._trail: dict[int, int] = {}
        self._trail_length = trail

    def hold(self) -> None:
        """Keep publications for `start` to merge: call it before reading the log."""
        self._holding = True

    def start(self, position: int, last: Entry | None = None) -> None:
        """Deliver the held publications after `position`, and all later ones."""
        self.position, self.last = position, last
        self._trail.clear()
        if last is not None:
            self._remember(last)
        self._holding = self._started = True
        self._deliver_held()
        if self._held or self._read_again:
            self.reread()

    def stop(self) -> None:
        """Deliver nothing more, until started again."""
        self._holding = self._started = self._read_again = False
        self._held.clear()
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None

    @property
    def trail_start(self) -> int:
        """The seq of the oldest remembered entry; `position + 1` when there is none."""
        return min(self._trail, default=self.position + 1)

    def shares(self, entries: list[Entry]) -> bool:
        """True if one of these entries can be compared with a remembered one."""
        return any(entry.seq in self._trail for entry in entries)

    def contradicts(self, entries: list[Entry]) -> bool:
        """True if one of these entries differs from the remembered one at its seq.

        Several are remembered, not only the last: after a failover the first publications of
        the new primary may arrive, in order, before the log is read.
        """
        return any(
            self._trail[entry.seq] != hash(entry.payload)
            for entry in entries
            if entry.fault is None and entry.seq in self._trail
        )

    def _remember(self, entry: Entry) -> None:
        if entry.fault is None:
            self._trail[entry.seq] = hash(entry.payload)
        # Entries are delivered without holes, so the oldest one has this seq. To look for the first
        # key would walk over the deleted ones before it.
        self._trail.pop(entry.seq - self._trail_length, None)

    def has_delivered(self, seq: int, payload: bytes) -> bool:
        """True if this was delivered at its seq, or is too old to be compared."""
        if seq > self.position:
            return False
        is_old = seq <= self.position - self._trail_length
        return is_old or self._trail.get(seq) == hash(payload)

    def receive(self, entry: Entry) -> None:
        """Deliver a publication if it is the next entry; otherwise hold it and read the log."""
        if self._started and self._filling is None and entry.seq == self.position + 1:
            self._deliver_next(entry)
        elif self._holding and (entry.seq > self.position or not self._started):
            # Those beyond the bound are not lost: `_fill` reads until none is missing.
            if len(self._held) < MAX_HELD:
                self._held[entry.seq] = entry
            if self._started:
                self.reread()

    def reread(self) -> None:
        """Read the log from the position, once started: publications may have been missed."""
        self._read_again = True
        if self._started and self._filling is None:
            self._filling = start_lasting("fill a log feed", self._fill_or_report_lost)

    async def catch_up(self) -> None:
        """Deliver every entry up to the present end of the log."""
        self.reread()
        if self._filling is None:
            return  # `start` reads
        # Not a shield: stopping a feed while it reads must not cancel the tasks that wait for it.
        await asyncio.wait([self._filling])

    async def _fill_or_report_lost(self) -> None:
        try:
            await self._fill()
        except Exception as fault:
            # The log cannot be understood: only this session is loaded again.
            log_fault("log_unreadable", fault, position=self.position)
            self._filling = None
            self._on_lost()

    async def _fill(self) -> None:
        while self._read_again or self._held:
            self._read_again = False
            entries = await self._read_with_retries()
            if self.contradicts(entries):
                self._filling = None
                self._on_other_log()
                return
            entries = [entry for entry in entries if entry.seq > self.position]
            for entry in entries:
                if entry.seq == self.position + 1:
                    self._deliver_next(entry)
            self._deliver_held()
            skips = bool(entries) and entries[-1].seq > self.position
            if skips or (self._held and not entries and not self._read_again):
                self._filling = None
                self._on_lost()
                return
            self._read_again = self._read_again or bool(entries)
        self._filling = None

    async def _read_with_retries(self) -> list[Entry]:
        attempt = 0
        while True:
            try:
                # Including the last known entry: if it differs, this is another log.
                return await self._read(max(0, self.position - 1))
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1

    def _deliver_held(self) -> None:
        while (entry := self._held.pop(self.position + 1, None)) is not None:
            self._deliver_next(entry)
        for seq in [seq for seq in self._held if seq <= self.position]:
            del self._held[seq]

    def _deliver_next(self, entry: Entry) -> None:
        self.position, self.last = entry.seq, entry
        self._remember(entry)
        try:
            self._deliver(entry)
        except Exception as fault:
            # One bad entry must not end this feed, nor the others that share its socket.
            log_fault("entry_not_delivered", fault, seq=entry.seq)
