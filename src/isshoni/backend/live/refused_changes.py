"""Keep the changes that a full canvas refused, and delete the elements that they delete."""

import asyncio
from collections.abc import Sequence

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.canvas_worker import WorkerFailed
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.log import log_event, log_fault
from isshoni.backend.tasks import start_once
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import parse_state
from isshoni.session.yjs_structs import read_update
from isshoni.session.yjs_walk import BrokenUpdate

MAX_HELD_BYTES = 1024 * 1024
"""A connection's refused changes above this size are dropped: then nothing is deleted for them."""
FREED_SHARE = 0.1
"""The share of the limit that must be freed before changes that may not fit are tried again."""
CHECK_SECONDS = 0.25
"""Seconds between two checks: other pieces of the same change arrive in that time."""


class RefusedChanges:
    """The refused changes of one connection, in their order, until it is closed.

    Every `CHECK_SECONDS` the elements that they delete are deleted. Once there is room for them,
    the connection is closed with 4000: the client returns at once, and its step 2 has them.
    """

    __slots__ = (
        "_connection",
        "_fresh",
        "_full_bytes",
        "_held",
        "_session",
        "_size_bytes",
        "_task",
    )

    def __init__(self, connection: Connection, session: LiveSession, full_bytes: int) -> None:
        """`full_bytes` is the size of the canvas that was full."""
        self._connection = connection
        self._session = session
        self._full_bytes = full_bytes
        self._held: list[bytes] = []
        self._fresh: list[bytes] = []
        self._size_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, update: bytes) -> None:
        """Add an update that `check_update` has accepted."""
        self._size_bytes += len(update)
        if self._size_bytes > MAX_HELD_BYTES:
            self._held, self._fresh = [], []
        else:
            self._fresh.append(update)
        if self._task is None:
            self._task = start_once("check refused changes", self._check_until_gone())

    async def _check_until_gone(self) -> None:
        connection = self._connection
        try:
            while not connection.gone:
                await asyncio.sleep(CHECK_SECONDS)
                if self._fresh and not connection.gone:
                    await self._erase()
                if not connection.gone and await self._have_room():
                    connection.close(CloseCode.RESUME)
                    return
        except StoreUnavailable:
            connection.counters.redis_errors += 1
            connection.close(CloseCode.INTERNAL_ERROR)
        except ProtocolError:
            pass  # the connection's token ended
        except Exception as fault:
            log_fault("refused_changes_not_checked", fault, session=connection.session_id)

    async def _have_room(self) -> bool:
        """True if the changes fit, or may: they may repeat content that the canvas has.

        Changes that do not fit are tried again only after `FREED_SHARE` was freed, so not for ever.
        """
        canvas = await self._session.ensure_canvas()
        canvas.compact_if_changed()
        limit = self._connection.guard.limits.canvas_bytes
        if canvas.size_bytes + self._size_bytes <= limit:
            return True
        return canvas.size_bytes <= min(limit, self._full_bytes - FREED_SHARE * limit)

    async def _erase(self) -> None:
        session = self._session
        canvas = await session.canvas.ensure_faithful()
        fresh, self._fresh = self._fresh, []
        self._held += fresh
        state = canvas.document.state()
        if not await asyncio.to_thread(_may_delete_known, fresh, self._held, state):
            return
        try:
            erasure = await canvas.find_erasure(list(self._held))
        except (BrokenUpdate, WorkerFailed) as fault:
            log_event("canvas_not_erased", session=session.session_id, error=fault)
            return
        if erasure and not self._connection.gone:
            self._connection.check_may_write()
            await session.append_canvas(erasure)


def _may_delete_known(fresh: Sequence[bytes], held: Sequence[bytes], state: bytes) -> bool:
    """True if `fresh` updates delete something, and the `held` ones content of a document.

    A fresh one may delete only what an older one put in place of the document's content.
    `state` is the document's state vector.
    """
    if not any(read_update(update)[1] for update in fresh):
        return False
    clocks = parse_state(state)
    return any(
        one.clock < clocks.get(one.client, 0) for update in held for one in read_update(update)[1]
    )
