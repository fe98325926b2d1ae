"""Handle the binary frames of one connection: sync, changes to the canvas, awareness."""

import asyncio
import time

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.canvas import Canvas, check_small, check_update_fairly
from isshoni.backend.live.canvas_batches import CanvasBatch
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.download import Download
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT, IsUnsent
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.refused_changes import RefusedChanges
from isshoni.backend.settings.limits import FrameMeter
from isshoni.backend.store.redis.link import NotWriter
from isshoni.backend.tasks import start_once
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import ErrorMessage, Saved
from isshoni.session.server.token_bucket import TokenBucket
from isshoni.session.server.yjs_update import EMPTY_UPDATE, check_update, parse_awareness
from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    make_awareness,
    make_step1_at,
    parse_y_frame,
    read_short_update,
)
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_walk import BrokenUpdate

SMALL_UPDATE_BYTES = 1024
"""A full canvas still accepts updates of up to this size: most deletions are small."""
_FULL_MARGIN = 1.25
_LONGEST_PAUSE_SECONDS = 1.0
_REPEAT_SECONDS = 0.5
"""Seconds before awareness that Redis refused is published again."""


class _Share:
    """What one connection has in a batch: its frames that are saved with it."""

    __slots__ = ("batch", "frames")

    def __init__(self, batch: CanvasBatch) -> None:
        self.batch = batch
        self.frames = 0

    def done(self) -> bool:
        """True once the batch is written, or was cancelled."""
        return self.batch.is_done

    def cancelled(self) -> bool:
        """True if the batch was cancelled."""
        return self.batch.is_cancelled

    def drop(self, is_unsent: IsUnsent) -> None:
        """Do nothing: `CanvasBatches` drops whole batches, once no client needs them."""


class CanvasWriter:
    """Answers and stores the binary frames of one connection.

    If Redis fails, the connection is closed: a Yjs client sends an update again only after it
    has reconnected and compared its document with the server's.
    """

    __slots__ = (
        "_connection",
        "_download",
        "_meter",
        "_most_canvas_bytes",
        "_next_awareness",
        "_own_clients",
        "_publishing",
        "_refusal",
        "_refused",
        "_saved",
        "_session",
        "_share",
    )

    def __init__(self, connection: Connection, session: LiveSession) -> None:
        self._connection = connection
        self._session = session
        limits = connection.guard.limits
        self._meter = FrameMeter(limits)
        self._most_canvas_bytes = limits.canvas_bytes
        self._refusal: ProtocolError | None = None
        self._refused: RefusedChanges | None = None
        self._saved = 0
        self._share: _Share | None = None
        self._download: asyncio.Task[None] | None = None
        self._next_awareness: bytes | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._own_clients: frozenset[int] | None = None

    async def handle(self, frame: bytes) -> None:
        """Handle one binary frame; raises `ProtocolError`."""
        now, meter = time.monotonic(), self._meter
        if meter.frames.take(now):
            await self._pause(meter.frames, 1.0)
        if meter.size_bytes.take(now, len(frame)):
            await self._pause(meter.size_bytes, len(frame))
        message = parse_y_frame(frame)
        canvas = self._session.canvas_at_hand or await self._load_canvas()
        if canvas is None:
            return
        if isinstance(message, SyncStep1):
            await self._answer_step1(message.state)
        elif isinstance(message, SyncUpdate):
            if message.carries_changes and not self._connection.has_dropped:
                await self._append_if_room(canvas, message.update)
        elif isinstance(message, AwarenessUpdate):
            self._publish_awareness(message.payload)
        else:
            self._send_present_clients()

    def handle_at_once(self, frame: bytes) -> bool:
        """Add a small change to the next batch if it need not wait; False if it was not added.

        It is called while the reader waits for a frame: to wake it up for each costs more than
        the change does. Nothing is raised: what is refused is left to the reader.
        """
        update = read_short_update(frame)
        if update is None or update == EMPTY_UPDATE or not self._may_add_at_once(len(update)):
            return False
        if not self._meter.take(time.monotonic(), len(frame)):
            return False
        try:
            contents = check_update(update)
        except BrokenUpdate:
            return False
        self._add(update, contents, frames=1)
        return True

    def _may_add_at_once(self, size_bytes: int) -> bool:
        connection, canvas = self._connection, self._session.canvas_at_hand
        return (
            canvas is not None
            and self._refusal is None
            and not connection.is_closing
            and not connection.is_finishing
            and not connection.has_dropped
            and connection.guard.may_write()
            and canvas.size_bytes + size_bytes <= self._most_canvas_bytes
            and connection.in_flight.count < MAX_IN_FLIGHT
        )

    async def _answer_step1(self, state: bytes) -> None:
        """Send what a client lacks; all of a large canvas as fast as the client reads it."""
        if self._download is not None:
            self._download.cancel()  # the answer to this one has the rest
            self._download = None
        document = (await self._session.canvas.ensure_faithful()).document
        download = Download(document.frames_missing_at(state))
        step1 = make_step1_at(document.state())
        if download.is_short:
            download.send(self._connection)
            self._send(step1)
        else:
            # Asked first: a change made while the rest is on its way is saved at once.
            self._send(step1)
            self._download = download.start(self._connection)
        self._send_present_clients()

    def _send_present_clients(self) -> None:
        present = self._session.canvas.presence.encode_present(time.monotonic())
        if present is not None:
            self._send(make_awareness(present))

    async def _load_canvas(self) -> Canvas | None:
        """Load the canvas, or wait until it is loaded; close the connection if that fails."""
        try:
            return await self._session.ensure_canvas()
        except StoreUnavailable as fault:
            self._connection.counters.count_redis_error(fault)
            self._connection.close(CloseCode.INTERNAL_ERROR)
            return None

    async def _pause(self, bucket: TokenBucket, cost: float) -> None:
        """Wait until the connection may send this frame; no other frame is read while it waits.

        Frames are delayed and not refused: a Yjs client cannot send a single update again, and
        without it no later update can be applied.
        """
        while wait := bucket.take(time.monotonic(), cost):
            if self._connection.guard.is_lenient:
                return
            self._connection.counters.canvas_paused += 1
            await asyncio.sleep(min(wait, _LONGEST_PAUSE_SECONDS))

    async def _append_if_room(self, canvas: Canvas, update: bytes) -> None:
        try:
            self._check_may_append(canvas, len(update))
        except ProtocolError as refusal:
            if refusal.code == "canvas_full":
                self._connection.check_may_write()
                await check_update_fairly(update)
                if self._refused is None:
                    self._refused = RefusedChanges(
                        self._connection, self._session, canvas.size_bytes
                    )
                self._refused.add(update)
            raise
        if (contents := check_small(update)) is not None:
            if self._connection.in_flight.count >= MAX_IN_FLIGHT:
                await self._connection.in_flight.wait_until_below(MAX_IN_FLIGHT)
            self._add(update, contents, frames=1)
        else:
            await self._append_large(update)

    def _check_may_append(self, canvas: Canvas, size_bytes: int) -> None:
        """Raise `ProtocolError` for a change that is refused, and for every later one.

        Later changes build on the refused one, and `saved` counts changes without a gap.
        """
        if self._refusal is None:
            try:
                self._connection.check_may_write()
                self._check_room(canvas, size_bytes)
            except ProtocolError as refusal:
                self._refusal = refusal
        if self._refusal is not None:
            raise ProtocolError(self._refusal.code, self._refusal.reason)

    def _check_room(self, canvas: Canvas, size_bytes: int) -> None:
        limit = self._connection.guard.limits.canvas_bytes
        most = limit * _FULL_MARGIN if size_bytes <= SMALL_UPDATE_BYTES else limit
        if canvas.size_bytes + size_bytes > most:
            self._connection.counters.canvas_full += 1
            raise ProtocolError("canvas_full", f"the canvas has its {limit} bytes: erase some")

    def _send(self, frame: bytes) -> None:
        self._connection.send(Outgoing.binary(frame))

    async def _append_large(self, update: bytes) -> None:
        pieces = await check_update_fairly(update)
        for number, (piece, contents) in enumerate(pieces, 1):
            await self._connection.in_flight.wait_until_below(MAX_IN_FLIGHT)
            self._add(piece, contents, frames=int(number == len(pieces)))

    def _add(self, update: bytes, contents: Contents | None, *, frames: int) -> None:
        """Write an update with the next batch; then `frames` more frames are saved."""
        batch = self._session.canvas_batches.add(update, contents)
        share = self._share
        if share is None or share.batch is not batch:
            share = self._share = _Share(batch)
            self._connection.in_flight.add(share, self._answer)
            batch.settle_when_done(self._connection.in_flight)
        share.frames += frames

    def _answer(self, share: _Share) -> None:
        connection, fault = self._connection, share.batch.fault
        if isinstance(fault, NotWriter):
            connection.has_dropped = True
        elif isinstance(fault, StoreUnavailable):
            connection.counters.count_redis_error(fault)
            connection.close(CloseCode.INTERNAL_ERROR)
        elif fault is not None:
            connection.fail(fault)
        elif not connection.has_dropped:
            connection.counters.edits += share.frames
            self._saved += share.frames
            if connection.client.can_canvas and share.frames:
                connection.send_message(Saved(self._saved))

    def _publish_awareness(self, payload: bytes) -> None:
        limits = self._connection.guard.limits
        if len(payload) > limits.awareness_bytes:
            # Not counted as a bad frame: several of those close the connection for good.
            reason = f"awareness is longer than {limits.awareness_bytes} bytes"
            self._connection.send_message(ErrorMessage("too_large", reason))
            return
        announcements = parse_awareness(payload)
        if self._session.audience.is_superseded(self._connection):
            return
        presence = self._session.canvas.presence
        if self._own_clients is None:
            # A Yjs client announces itself before it passes on other clients.
            self._own_clients = frozenset(one.client for one in announcements)
        to_publish = presence.add_from_connection(
            self._connection, self._own_clients, announcements, time.monotonic()
        )
        if to_publish is None:
            return
        # At most one is being published and one waits; a newer state replaces the one that waits.
        self._next_awareness = to_publish
        if self._publishing is None:
            self._publishing = start_once("publish awareness", self._publish())

    async def _publish(self) -> None:
        connection, session_id = self._connection, self._session.session_id
        try:
            while (payload := self._next_awareness) is not None and not connection.gone:
                self._next_awareness = None
                try:
                    await connection.store.publish_awareness(session_id, payload)
                except StoreUnavailable:
                    # Repeated here, because the client sends it again only after 15 s.
                    connection.counters.redis_errors += 1
                    self._next_awareness = self._next_awareness or payload
                    await asyncio.sleep(_REPEAT_SECONDS)
                await asyncio.sleep(1 / connection.guard.limits.awareness_per_second)
        finally:
            self._publishing = None
