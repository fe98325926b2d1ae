"""The region of this process: it follows the record in Redis, and opens and closes the writes."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import UNSET

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.store.redis.link import WriteGate
from isshoni.backend.store.redis.region import RegionReading
from isshoni.backend.store.region_port import RegionStore
from isshoni.session.region import RegionMac, RegionRecord, RegionState, find_state

POLL_SECONDS = 0.5
"""The time between two readings and between two heartbeats; a publication comes before it."""
IDLE_SECONDS = 5.0
"""How long `set` waits until no write is in flight."""


class RegionRefused(Exception):
    """A record that was not set; the message says why."""


class WritesInFlight(Exception):
    """The writes are closed, but one that had passed has no answer yet."""


class Region:
    """This process may write while the record names its region.

    Until the record has been read, no write passes. A client's proof of a later record overrules
    the one in Redis: that Redis may be an old primary that comes back.
    """

    def __init__(
        self,
        name: str,
        store: RegionStore,
        gate: WriteGate,
        macs: RegionMac,
        alternatives: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.alternatives = alternatives
        self.state: RegionState = "fenced"
        self.known = asyncio.Event()
        """Set once the record has been read."""
        self.on_overruled: Callable[[], None] = _do_nothing
        """Called when this region served until a client proved that another one writes."""
        self.on_change: list[Callable[[], None]] = []
        """Each is called after each change of the state."""
        self._store = store
        self._gate = gate
        self._macs = macs
        self._record: RegionRecord | None = None
        self._overruling: RegionRecord | None = None
        self._reading: RegionReading | None = None
        self._lock = asyncio.Lock()
        self._woken = asyncio.Event()
        gate.close(f"region {name} has not read yet whether it may write", keeps_waiting=True)
        store.on_reconnect(self._woken.set)

    # Following the record

    async def run(self) -> None:
        """Follow the record, and write heartbeats while this region serves; runs for ever."""
        subscribed = False
        while True:
            self._woken.clear()
            with suppress(StoreUnavailable):
                if not subscribed:
                    await self._store.subscribe_region(self._woken.set)
                    subscribed = True
                await self.refresh()
                if self.state == "serving" and self._record is not None:
                    await self._store.beat_region(self.name, time.time_ns() // 1_000_000)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)

    async def refresh(self) -> None:
        """Read the record now; raises `StoreUnavailable`."""
        async with self._lock:  # an older answer must not undo a newer one
            self._apply(await self._store.read_region())

    def _apply(self, reading: RegionReading) -> None:
        before, self._reading = self._reading, reading
        record, overruling = reading.record, self._overruling
        if overruling is not None and (record is None or record.term < overruling.term):
            record = overruling
        self._record = record
        self._set_state(find_state(self.name, record, is_replica=reading.is_replica))
        self.known.set()
        if before is not None and before.is_replica != reading.is_replica:
            self._store.reread_sessions()  # its data may be those of another Redis now

    def _set_state(self, state: RegionState) -> None:
        if state == "serving":
            self._gate.open()
        else:
            self._gate.close(self._explain(state), keeps_waiting=state == "fenced")
        if state == self.state and self.known.is_set():
            return
        self.state = state
        log_event("region_state", region=self.name, state=state, term=self.term, writer=self.writer)
        for callback in self.on_change:
            callback()

    def _explain(self, state: RegionState) -> str:
        if state == "fenced":
            return f"no region may write now (term {self.term}); send it again soon"
        return f"region {self.name} is a standby: {self.writer or 'its primary'} writes"

    # What others ask

    @property
    def term(self) -> int:
        """The term of the record; 0 without one."""
        return self._record.term if self._record else 0

    @property
    def writer(self) -> str | None:
        """The region that may write; None if no region may, or there is no record."""
        return (self._record.writer or None) if self._record else None

    @property
    def takes_connections(self) -> bool:
        """False while new connections must go to another region."""
        return self.state != "standby"

    def holds(self, task: "asyncio.Task[object]") -> bool:
        """True if the write of a task waits until this region may write."""
        return self._gate.holds(task)

    def describe(self) -> dict[str, Any]:
        """Return the fields of `session_restored`; the proof only while this region writes."""
        proves = self._record is not None and self.state == "serving"
        return {
            "region": self.name,
            "alternatives": self.alternatives or UNSET,
            "region_proof": self._macs.sign(self._record) if self._record and proves else UNSET,
        }

    async def is_overruled_by(self, proof: str) -> bool:
        """True if a client's proof shows that another region writes since a later term."""
        record = self._macs.verify(proof) if proof else None
        if record is None or record.writer in ("", self.name) or record.term <= self.term:
            return False
        served = self.state == "serving"
        log_event(
            "region_overruled",
            level=logging.ERROR,
            region=self.name,
            term=self.term,
            later=record.term,
            writer=record.writer,
        )
        self._overruling = self._record = record
        self._set_state("standby")
        if served:
            self.on_overruled()
        with suppress(StoreUnavailable):
            await self._store.set_region(record)
        return True

    # Orders of the engine

    async def set(self, record: RegionRecord) -> None:
        """Set the record; return once no write of an earlier term of this process is in flight.

        Raises `RegionRefused`, `WritesInFlight` and `StoreUnavailable`.
        """
        await self.refresh()
        if self._reading is not None and self._reading.is_replica:
            raise RegionRefused("redis is a replica: set the record on its primary")
        async with self._lock:
            present = await self._store.set_region(record)
            reading = await self._store.read_region()
            self._apply(reading)
        if present is not None:
            raise RegionRefused(
                f"the record is of term {present.term} with the writer {present.writer or None}: "
                f"term {record.term} with {record.writer or None} does not come after it"
            )
        if self.state == "serving":
            return
        if not await self._gate.wait_until_idle(IDLE_SECONDS):
            raise WritesInFlight(f"{self._gate.in_flight} writes have no answer of Redis yet")
        # Behind every write of this process: where the stamp is replicated, they are too.
        await self._store.stamp_region(record.term)
        await self.refresh()

    def find_standby_fault(self) -> str | None:
        """Return why this region could not take over, as far as replication shows; or None."""
        if self._reading is None:
            return "the record of the regions has not been read yet"
        replication = self._reading.replication
        if replication.role != "slave":
            return "Redis is no replica of the region that writes"
        if replication.link != "up":
            return "Redis has lost the link to its primary"
        return None

    def status(self, standby_fault: str | None) -> dict[str, Any]:
        """Return the state, as docs/admin-api.md describes it."""
        reading = self._reading or RegionReading(None)
        replication = reading.replication
        return {
            "name": self.name,
            "state": self.state,
            "term": self.term,
            "writer": self.writer,
            "stamp": reading.stamp,
            "standby_ready": self.state == "standby" and standby_fault is None,
            "reason": standby_fault,
            "in_flight": self._gate.in_flight,
            "waiting": self._gate.waiting,
            "redis_role": replication.role,
            "lag": {
                "bytes": replication.unapplied_bytes,
                "seconds": self._find_lag_seconds(reading),
                "link": replication.link,
                "link_down_seconds": replication.link_down_seconds,
            },
        }

    def _find_lag_seconds(self, reading: RegionReading) -> float | None:
        if reading.record is not None and not reading.record.writer:
            return 0.0  # no region writes: nothing is missing
        if reading.beat_ms is None:
            return None
        return round(max(0.0, time.time() - reading.beat_ms / 1000), 3)


def _do_nothing() -> None:
    """Do nothing."""
