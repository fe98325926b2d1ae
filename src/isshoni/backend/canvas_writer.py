"""The binary frames of one connection: sync, edits on their way to the log, awareness."""

import asyncio
from typing import TYPE_CHECKING, Any

from isshoni.backend.canvas import check_update_fairly
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.in_flight import MAX_IN_FLIGHT
from isshoni.backend.outgoing import Outgoing
from isshoni.backend.yjs_update import check_awareness
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Saved
from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    make_step1,
    make_step2,
    parse_y_frame,
)

if TYPE_CHECKING:
    from isshoni.backend.connection import Connection

MAX_AWARENESS_BYTES = 64 * 1024


class CanvasWriter:
    """What one connection says in binary.

    Where Redis fails, the connection is closed: a Yjs client has no way to send an update
    again but to come back and compare.
    """

    __slots__ = ("_connection", "_next_awareness", "_publishing", "_saved")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._saved = 0
        self._next_awareness: bytes | None = None
        self._publishing: asyncio.Task[None] | None = None

    async def handle(self, frame: bytes) -> None:
        """Take one binary frame; raises `ProtocolError`."""
        message = parse_y_frame(frame)
        try:
            canvas = await self._connection.session.ensure_canvas()
        except StoreUnavailable:
            self._connection.counters.redis_errors += 1
            self._connection.close(CloseCode.INTERNAL_ERROR)
            return
        if isinstance(message, SyncStep1):
            document = canvas.document
            self._send(make_step2(document.missing_from(message.state)))
            self._send(make_step1(document.yjs))
        elif isinstance(message, SyncUpdate):
            if message.carries_changes:
                await self._append(message.update)
        elif isinstance(message, AwarenessUpdate):
            self._publish_awareness(message.payload)

    def _send(self, frame: bytes) -> None:
        self._connection.send(Outgoing.binary(frame))

    async def _append(self, update: bytes) -> None:
        await check_update_fairly(update)
        connection = self._connection
        await connection.in_flight.wait_until_below(MAX_IN_FLIGHT)
        append = connection.session.canvas.append(update)
        connection.in_flight.start(append, self._answer)

    def _answer(self, write: "asyncio.Task[Any]") -> None:
        connection = self._connection
        try:
            write.result()
        except StoreUnavailable:
            connection.counters.redis_errors += 1
            connection.close(CloseCode.INTERNAL_ERROR)
        except Exception as fault:
            connection.fail(fault)
        else:
            connection.counters.edits += 1
            self._saved += 1
            if connection.can_canvas:
                connection.tell(Saved(self._saved))

    def _publish_awareness(self, payload: bytes) -> None:
        if len(payload) > MAX_AWARENESS_BYTES:
            raise ProtocolError("too_large", f"awareness is over {MAX_AWARENESS_BYTES} bytes")
        check_awareness(payload)
        if self._connection.is_superseded():
            return
        # One under way, one waiting: a newer state replaces the one that waits.
        self._next_awareness = payload
        if self._publishing is None:
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def _publish(self) -> None:
        connection = self._connection
        try:
            while (payload := self._next_awareness) is not None:
                self._next_awareness = None
                await connection.store.publish_awareness(connection.session.session_id, payload)
        except StoreUnavailable:
            # Kept nowhere: its owner says it again within seconds.
            connection.counters.redis_errors += 1
        finally:
            self._publishing = None
