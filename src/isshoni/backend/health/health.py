"""Check against Redis that this process can serve a session."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable, Unreadable
from isshoni.backend.health.readiness_log import ReadinessLog
from isshoni.backend.health.rehearsal import RehearsedStore, Stage, rehearse, takes_no_writes
from isshoni.backend.region.region import Region
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import ReconnectEvents, SessionDirectory, StoreProbe
from isshoni.backend.store.redis.rights import explain

CACHE_SECONDS = 0.5
PROBE_TIMEOUT_SECONDS = 2.0
_SAMPLE = 10


@dataclass(frozen=True)
class Readiness:
    """The result of a readiness check; `reason` says why no session can be served."""

    ready: bool
    reason: str | None = None
    limit: str | None = None
    """Why nothing can be saved at present, although stored data can be read; or None."""
    shortage: str | None = None
    """On how many replicas acknowledged writes are, if on fewer than wanted; or None."""


@dataclass(frozen=True)
class Proof:
    """The result of a test of Redis and of real sessions."""

    redis: bool
    latency_ms: float
    sampled: int
    readable: int
    fault: str | None = None
    unreadable: tuple[str, ...] = ()
    """The sessions among those tried that could not be read."""


class CheckedStore(RehearsedStore, SessionDirectory, StoreProbe, ReconnectEvents, Protocol):
    """The ports that readiness is checked with."""


class Health:
    """Checks the store for all health requests, with a bounded number of probes.

    A probe of Redis is cheap and runs twice a second at most. A rehearsal (rehearsal.py) runs
    every few seconds in the background, and at once after a fault or a lost connection;
    requests at the same time share one rehearsal.
    """

    def __init__(
        self,
        store: CheckedStore,
        is_draining: Callable[[], bool],
        is_page_reachable: Callable[[], bool],
        find_shortage: Callable[[], str | None] = lambda: None,
        region: Region | None = None,
    ) -> None:
        self._store = store
        self._region = region
        self._is_draining = is_draining
        self._is_page_reachable = is_page_reachable
        self._find_shortage = find_shortage
        self._lock = asyncio.Lock()
        self._probed_at = float("-inf")
        self._fault: str | None = None
        self._stage = Stage(lambda: rehearse(store))
        self._log = ReadinessLog()
        store.on_reconnect(self._stage.doubt)
        if region is not None:
            region.on_change.append(self._doubt)

    def _doubt(self) -> None:
        self._probed_at = float("-inf")
        self._stage.doubt()

    async def check(self) -> Readiness:
        """Return whether this process is ready; probes Redis at most once in half a second."""
        if self._is_draining():
            return Readiness(False, "draining")
        async with self._lock:
            if time.monotonic() - self._probed_at > CACHE_SECONDS:
                self._fault = await self._probe()
                self._probed_at = time.monotonic()
        if self._is_standby:
            return Readiness(False, "standby")
        limit, shortage = self._stage.last.limit, self._find_shortage()
        if self._fault is None and not self._is_page_reachable():
            reason = "the page's assets are not yet stored in Redis for other versions"
            return Readiness(False, reason, limit, shortage)
        self._log.note(self._fault, limit, shortage)
        return Readiness(self._fault is None, self._fault, limit, shortage)

    @property
    def _is_standby(self) -> bool:
        return self._region is not None and self._region.state == "standby"

    async def find_standby_fault(self) -> str | None:
        """Return why this process could not serve if its region took over now; None if it could."""
        if self._region is None or not self._is_standby:
            return None
        await self.check()
        return self._fault or self._region.find_standby_fault()

    async def _probe(self) -> str | None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                if self._region is not None:
                    await self._region.refresh()
                if not self._is_standby:  # nothing may be written there
                    await self._look()
                sampled = await self._store.sample_sessions(_SAMPLE)
                if sampled and not await self._is_any_readable(sampled):
                    return f"Redis: none of {len(sampled)} sessions tried can be read"
        except StoreUnavailable as fault:
            return f"Redis: {explain(fault)}"
        except TimeoutError:
            return f"Redis: no answer in {PROBE_TIMEOUT_SECONDS:g} s"
        if self._is_standby:
            return None
        refusal = (await self._stage.find_last()).fault
        return None if refusal is None else f"Redis: {refusal}"

    async def _look(self) -> None:
        try:
            await self._store.probe()
        except StoreUnavailable as fault:
            # Clients can still enter and read; the rehearsal finds what cannot be written.
            if not takes_no_writes(fault):
                raise
            self._stage.doubt()

    async def _is_any_readable(self, session_ids: list[str]) -> bool:
        # Any: one session that is broken must not take the others with it.
        for session_id in session_ids:
            try:
                await self._store.read_recent_chat(session_id, limit=1)
            except StoreUnavailable:
                continue
            return True
        return False

    async def prove(self, session_ids: Sequence[str] = ()) -> Proof:
        """Rehearse a client session, and read real sessions: the given, or up to ten of all."""
        if not self._is_standby:  # there it only reads
            rehearsed = await self._stage.rehearse_now()
            if refusal := rehearsed.fault or rehearsed.limit:
                return Proof(False, 0.0, 0, 0, refusal)
        latency_ms, sampled, readable = 0.0, 0, 0
        redis = False
        faults: dict[str, str] = {}
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                latency_ms = await self._measure_latency()
                redis = True
                sessions = session_ids or await self._store.sample_sessions(_SAMPLE)
                sampled = len(sessions)
                for session_id in sessions:
                    try:
                        await self._read(session_id)
                        readable += 1
                    except Unreadable as damage:
                        faults[session_id] = str(damage)
        except (StoreUnavailable, TimeoutError) as fault:
            words = explain(fault) if isinstance(fault, StoreUnavailable) else ""
            reason = words or f"no answer in {PROBE_TIMEOUT_SECONDS:g} s"
            return Proof(redis, latency_ms, sampled, readable, reason, tuple(faults))
        first = next(iter(faults.values()), None)
        return Proof(redis, latency_ms, sampled, readable, first, tuple(faults))

    async def _measure_latency(self) -> float:
        """Return the milliseconds that Redis needs to answer; a standby only reads from it."""
        if not self._is_standby:
            return await self._store.probe() * 1000
        began = time.monotonic()
        await self._store.sample_sessions(1)
        return (time.monotonic() - began) * 1000

    async def _read(self, session_id: str) -> None:
        """Read a session's end and its canvas; raises `Unreadable` when a form is not known."""
        chat = await self._store.read_recent_chat(session_id, limit=1)
        canvas = await self._store.load_canvas(session_id)
        faults = [find_envelope_fault(entry) for entry in chat]
        faults += [entry.fault for entry in canvas.updates]
        for fault in filter(None, faults):
            raise Unreadable(
                f"session {session_id} has content that this process cannot read: {fault}"
            )
