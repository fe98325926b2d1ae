"""A rehearsal: what clients do, done in a session that no client can join.

A Redis that answers SET and GET may still refuse what a client needs: scripts, TIME,
publishing, a channel. So the readiness check uses the same store operations as clients do.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_fault
from isshoni.backend.store.ports import (
    Appended,
    CanvasStore,
    ChatStore,
    Published,
    RehearsalStore,
    SessionBus,
)
from isshoni.backend.store.redis.link import ErrorReply, NotWriter
from isshoni.backend.store.redis.link.errors import NotDurable
from isshoni.backend.store.redis.rights import explain
from isshoni.backend.tasks import start_once
from isshoni.session.messages import ChatEnvelope, Position, encode_envelope
from isshoni.session.server.yjs_update import EMPTY_UPDATE

REHEARSAL_SECONDS = 4.0
"""Time limit; longer than two waits for replicas (1.5 s each), as one may be running already."""
HEAR_SECONDS = 2.0
EVERY_SECONDS = 5.0
"""Pause after a success, varied by a fifth so that processes do not act in step."""
RETRY_SECONDS = 0.5
"""Pause after a failure, or after `doubt` was called."""
PATIENCE_SECONDS = 1.0
"""How long a health request waits for a rehearsal: the balancer's check allows 2 s."""
_LIFE_SECONDS = 60.0
"""After so long a rehearsal session expires, if its process died."""
_PASSING = ("OOM", "NOREPLICAS", "MISCONF")
"""Error codes of a Redis that temporarily refuses writes but can be read."""


@dataclass(frozen=True)
class Rehearsed:
    """The result of a rehearsal; with neither field set it succeeded."""

    fault: str | None = None
    """Why no client can be served: the step that failed, and the error."""
    limit: str | None = None
    """Why nothing can be saved at present, although stored data can be read."""


class RehearsedStore(ChatStore, CanvasStore, SessionBus, RehearsalStore, Protocol):
    """The ports that a rehearsal tries, in a session of its own."""


class _Failed(Exception):
    def __init__(self, step: str, fault: StoreUnavailable | str) -> None:
        super().__init__(step)
        self.step = step
        self.fault = fault


def takes_no_writes(fault: BaseException) -> bool:
    """True if only writing is refused for now: by a Redis that is full or short of replicas, or
    because this region may not write."""
    if isinstance(fault, ErrorReply):
        return fault.code in _PASSING
    return isinstance(fault, NotDurable | NotWriter)


async def rehearse(store: RehearsedStore) -> Rehearsed:
    """Open, restore, write, receive and draw on every primary; never raises for Redis's faults."""
    try:
        async with asyncio.timeout(REHEARSAL_SECONDS):
            plays = (_Act(store, one).play() for one in store.rehearsal_sessions())
            for outcome in await asyncio.gather(*plays, return_exceptions=True):
                if outcome is not None:
                    raise outcome
    except TimeoutError:
        return Rehearsed(f"a rehearsed session took over {REHEARSAL_SECONDS:g} s")
    except _Failed as failed:
        return _describe(failed)
    except StoreUnavailable as fault:
        return Rehearsed(str(fault))
    return Rehearsed()


def _describe(failed: _Failed) -> Rehearsed:
    fault = failed.fault
    words = explain(fault) if isinstance(fault, StoreUnavailable) else fault
    reason = f"to {failed.step} failed: {words}"
    if isinstance(fault, StoreUnavailable) and takes_no_writes(fault):
        return Rehearsed(limit=reason)
    return Rehearsed(reason)


class _Act:
    """One rehearsal, in one session."""

    def __init__(self, store: RehearsedStore, session_id: str) -> None:
        self._store = store
        self._session_id = session_id
        self._step = "subscribe"
        self._heard: asyncio.Queue[Published] = asyncio.Queue()

    async def play(self) -> None:
        """Run all steps and erase the session; raises `_Failed` with the step that failed."""
        try:
            await self._store.subscribe(self._session_id, self._heard.put_nowait)
            await self._write_and_hear(await self._enter())
            self._step = "delete a session"
            await self._store.erase_session(self._session_id)
        except StoreUnavailable as fault:
            await self._clean_up(erase=not takes_no_writes(fault))
            raise _Failed(self._step, fault) from None
        except _Failed:
            await self._clean_up(erase=True)
            raise
        await self._clean_up(erase=False)

    async def _clean_up(self, *, erase: bool) -> None:
        # The failure is reported already; what stays expires by itself. Where writes wait
        # in vain, erasing would too, and the time of the rehearsal would run out.
        with contextlib.suppress(StoreUnavailable):
            await self._store.unsubscribe(self._session_id)
            if erase:
                await self._store.erase_session(self._session_id)

    async def _enter(self) -> Position:
        store, session_id = self._store, self._session_id
        self._step = "open a session"
        head = await store.lend_session(session_id, seconds=_LIFE_SECONDS)
        self._step = "restore a session"
        await store.read_standing(session_id, "rehearsal")
        await store.read_recent_chat(session_id, limit=1)
        await store.load_canvas(session_id)
        return Position(head.epoch, head.chat_seq)

    async def _write_and_hear(self, known: Position) -> None:
        store, session_id = self._store, self._session_id
        client_id = secrets.token_hex(8)  # new each time, so that this is never a resend
        at = time.time_ns() // 1_000_000
        envelope = encode_envelope(ChatEnvelope(client_id, 1, "rehearsal", at=at))
        self._step = "write a message"
        written = await store.append_chat(session_id, client_id, 1, envelope, known=known)
        if not isinstance(written, Appended):
            raise _Failed(self._step, f"a first message got the answer {type(written).__name__}")
        self._step = "receive a message"
        await self._hear("chat", envelope)
        self._step = "draw"
        seq = await store.append_canvas(session_id, EMPTY_UPDATE)
        await self._hear("canvas", EMPTY_UPDATE)
        if isinstance(seq, int):
            await store.compact_canvas(session_id, EMPTY_UPDATE, upto=seq)
        self._step = "publish awareness"
        await store.publish_awareness(session_id, b"rehearsal")
        await self._hear("awareness", b"rehearsal")

    async def _hear(self, kind: str, payload: bytes) -> None:
        try:
            async with asyncio.timeout(HEAR_SECONDS):
                while True:
                    heard = await self._heard.get()
                    if heard.kind == kind and heard.payload == payload and not heard.fault:
                        return
        except TimeoutError:
            words = f"the publication did not arrive within {HEAR_SECONDS:g} s"
            raise _Failed(self._step, words) from None


class Stage:
    """Runs the rehearsals of this process, one at a time, and shares the result."""

    def __init__(
        self,
        play: Callable[[], Awaitable[Rehearsed]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._play = play
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        self._ended_at = self._due_at = float("-inf")
        self.last = Rehearsed("no session was rehearsed yet")
        """The result of the last rehearsal that ended."""

    def doubt(self) -> None:
        """Schedule the next rehearsal soon, because Redis may have changed."""
        self._due_at = min(self._due_at, self._ended_at + RETRY_SECONDS)

    async def find_last(self) -> Rehearsed:
        """Return the last result; after a failure wait a little for a new one."""
        if self._clock() >= self._due_at:
            self._begin()
        if self._running is not None and self.last.fault is not None:
            await asyncio.wait([self._running], timeout=PATIENCE_SECONDS)
        return self.last

    async def rehearse_now(self) -> Rehearsed:
        """Return a result at most `RETRY_SECONDS` old; rehearse if there is none."""
        if self._clock() - self._ended_at >= RETRY_SECONDS:
            await asyncio.wait([self._begin()])
        return self.last

    def _begin(self) -> asyncio.Task[None]:
        if self._running is None:
            self._running = start_once("rehearse a session", self._run())
        return self._running

    async def _run(self) -> None:
        try:
            self.last = await self._play()
        except Exception as fault:
            # A bug of ours: without this the last good result would be kept for ever.
            log_fault("rehearsal_failed", fault)
            self.last = Rehearsed(f"a rehearsed session failed: {type(fault).__name__}: {fault}")
        finally:
            self._running = None
        self._ended_at = self._clock()
        well = self.last == Rehearsed()
        pause_seconds = EVERY_SECONDS * random.uniform(0.8, 1.2) if well else RETRY_SECONDS
        self._due_at = self._ended_at + pause_seconds
