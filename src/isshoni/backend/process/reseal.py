"""Seal every session again with the first key, while clients use it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from isshoni.backend.errors import StoreUnavailable, Unreadable
from isshoni.backend.live.whole_canvas import make_snapshot
from isshoni.backend.security.vault import Vault
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.sealed_store import SealedStore
from isshoni.session.server.yjs_update import EMPTY_UPDATE

_ATTEMPTS = 20
_PAGE = 1000


@dataclass
class Tally:
    """The result of a pass, in numbers of sessions."""

    sessions: int = 0
    rewritten: int = 0
    left: int = 0
    """Sessions with content that is still not sealed with the first key."""


class Resealer:
    """A pass over all sessions of a Redis."""

    def __init__(self, redis: RedisStore, vault: Vault) -> None:
        self._redis = redis
        self._vault = vault
        self._sealed = SealedStore(redis, vault)

    async def run(self) -> Tally:
        """Seal again all content that is not current; raises `StoreUnavailable`."""
        await self._sealed.check_key()
        tally = Tally()
        async for session_id in self._redis.list_sessions():
            tally.sessions += 1
            chat = await _persist(partial(self._reseal_chat, session_id))
            canvas = await _persist(partial(self._reseal_canvas, session_id))
            files = await self._reseal_files(session_id)
            tally.rewritten += "rewritten" in (chat, canvas, files)
            tally.left += "left" in (chat, canvas, files)
        return tally

    async def _reseal_chat(self, session_id: str) -> str | None:
        stored = await self._read_chat(session_id)
        if all(self._vault.is_current(entry.payload) for entry in stored):
            return "current"
        try:
            entries = [Entry(entry.seq, self._reseal(entry.payload)) for entry in stored]
        except Unreadable:
            return "left"
        return "rewritten" if await self._redis.rewrite_chat(session_id, entries) else None

    async def _read_chat(self, session_id: str) -> list[Entry]:
        entries: list[Entry] = []
        while page := await self._redis.read_chat(
            session_id, after=entries[-1].seq if entries else 0, limit=_PAGE
        ):
            entries += page
        return entries

    async def _reseal_canvas(self, session_id: str) -> str | None:
        stored = await self._redis.load_canvas(session_id)
        payloads = [stored.snapshot, *(entry.payload for entry in stored.updates)]
        if all(payload is None or self._vault.is_current(payload) for payload in payloads):
            return "current"
        # A compaction needs an update beyond the last one; an empty one changes nothing.
        await self._sealed.append_canvas(session_id, EMPTY_UPDATE)
        log: CanvasLog = await self._sealed.load_canvas(session_id)
        if any(entry.fault for entry in log.updates):
            return "left"
        snapshot = await asyncio.to_thread(make_snapshot, log, frozenset())
        digest = log.updates[-1].digest if log.updates else ""
        done = await self._sealed.compact_canvas(session_id, snapshot, upto=log.seq, digest=digest)
        return "rewritten" if done else None

    async def _reseal_files(self, session_id: str) -> str:
        outcome = "current"
        for file_id in await self._redis.list_files(session_id):
            stored = await self._redis.read_file(session_id, file_id)
            if stored is None or self._vault.is_current(stored):
                continue
            try:
                resealed = await asyncio.to_thread(self._reseal, stored)
            except Unreadable:
                return "left"
            await self._redis.rewrite_file(session_id, file_id, resealed)
            outcome = "rewritten"
        return outcome

    def _reseal(self, stored: bytes) -> bytes:
        content = self._vault.open(stored)
        return stored if self._vault.is_current(stored) else self._vault.seal(content)


async def _persist(attempt: Callable[[], Awaitable[str | None]]) -> str:
    """Repeat an attempt that a write interrupted; return "left" if all are interrupted."""
    for _ in range(_ATTEMPTS):
        if outcome := await attempt():
            return outcome
    return "left"


async def reseal(redis_url: str, vault: Vault) -> Tally:
    """Seal every session of a Redis with the first key."""
    redis = RedisStore(redis_url)
    await redis.start()
    try:
        await _check_may_write(redis)
        return await Resealer(redis, vault).run()
    finally:
        await redis.aclose()


async def _check_may_write(redis: RedisStore) -> None:
    """Raise `StoreUnavailable` if another region writes, or none may."""
    reading = await redis.read_region()
    if reading.is_replica:
        raise StoreUnavailable("this Redis is a replica: run it in the region that writes")
    if reading.record is not None and not reading.record.writer:
        raise StoreUnavailable(f"no region may write now (term {reading.record.term}): try again")
