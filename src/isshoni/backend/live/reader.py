"""Read the frames of one connection, and handle each by its type."""

import asyncio
import secrets
import time
from collections.abc import Sequence

import msgspec
from starlette.types import Message, Receive

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import SessionRefused, StoreUnavailable
from isshoni.backend.live.canvas_writer import CanvasWriter
from isshoni.backend.live.chat_intake import ChatIntake
from isshoni.backend.live.chat_writer import ChatWriter
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.download import send_elements
from isshoni.backend.live.live_canvas import LiveCanvas
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.restore_gate import AnnounceWait, Place, RestoreGate
from isshoni.backend.live.wire import Wire
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import ClientStanding
from isshoni.backend.tasks import start_once
from isshoni.session.chat_content import CHAT_FEATURES
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import (
    SERVER_LIMITS,
    Authenticate,
    Authenticated,
    Chat,
    ErrorMessage,
    Ping,
    RecalledEvents,
    RestoreSession,
    SessionRestored,
    encode_pong,
    parse_inbound,
)
from isshoni.session.server.connection_events import (
    AllRead,
    BinaryReceived,
    ClientLeft,
    ReadingStopped,
    RestoreAnswered,
    RestoreAsked,
    RestoreFailed,
    TextReceived,
)
from isshoni.session.server.connection_states import Ending

MAX_BAD_FRAMES = 50
_ANNOUNCED_FOR_SECONDS = 60.0
"""A client is asked to wait at most once in this time."""
_GONE_AFTER_SECONDS = 0.5
"""After so long in the queue it is worth a look whether the client is still there."""


class Reader:
    """Receives the frames of one connection and handles them one after another."""

    __slots__ = (
        "_announced_at",
        "_arrived",
        "_bad_frames",
        "_canvas",
        "_chat",
        "_connection",
        "_context",
        "_gate",
        "_receive",
        "_session",
        "_wire",
    )

    def __init__(
        self,
        context: BackendContext,
        connection: Connection,
        session: LiveSession,
        receive: Receive,
        gate: RestoreGate,
        wire: Wire,
    ) -> None:
        self._context = context
        self._gate = gate
        self._arrived: Message | None = None
        self._connection = connection
        self._session = session
        self._receive = receive
        self._chat = ChatIntake(connection, self._refuse)
        self._wire = wire
        wire.receive_with(self._chat.handle_at_once)
        self._canvas: CanvasWriter | None = None
        self._bad_frames = 0
        self._announced_at = float("-inf")

    async def run(self) -> None:
        """Handle frames until the WebSocket has ended."""
        connection = self._connection
        connection.start()
        try:
            while (message := await self._next_message()) is not None:
                await self._handle(message)
            while not connection.gone:
                self._handle_end(
                    await self._receive()
                )  # frames that arrive after the end are dropped
        except asyncio.CancelledError:
            if connection.ending is not Ending.ABANDONED:
                raise
        except Exception as fault:
            connection.fail(fault)
        finally:
            connection.apply(ReadingStopped())
            del self._chat  # it has this reader: only a garbage collection could free the two

    async def _next_message(self) -> Message | None:
        """Return the next frame; None once the client is gone or the last frame was handled."""
        connection = self._connection
        arrived, self._arrived = self._arrived, None
        if arrived is not None:
            return None if self._handle_end(arrived) else arrived
        if connection.is_finishing:
            return await self._next_already_received()
        connection.frame_in_hand = False
        message = await self._receive()
        connection.mark_frame_received()
        return None if self._handle_end(message) else message

    async def _next_already_received(self) -> Message | None:
        message = await self._receive_arrived()
        if message is None:
            self._connection.apply(AllRead())
            return None
        return None if self._handle_end(message) else message

    async def _receive_arrived(self) -> Message | None:
        """Return a frame that has arrived, or the end of the WebSocket; None if there is none."""
        try:
            # With a timeout of 0, receive() never waits.
            async with asyncio.timeout(0):
                return await self._receive()
        except TimeoutError:
            return None

    def _handle_end(self, message: Message) -> bool:
        """Handle the end of the WebSocket; False if `message` is a frame."""
        if message["type"] != "websocket.disconnect":
            return False
        connection, code = self._connection, message.get("code")
        connection.apply(ClientLeft(code))
        if code == CloseCode.TOO_LARGE:
            connection.counters.frames_too_large += 1
            author = connection.client.author
            log_event("frame_too_large", session=connection.session_id, client=author)
        return True

    # What a frame does

    async def _handle(self, message: Message) -> None:
        if self._connection.is_closing:
            return
        try:
            text = message.get("text")
            if text is not None:
                await self._handle_text(text)
            else:
                await self._handle_binary(message["bytes"])
        except ProtocolError as fault:
            self._refuse(fault)
        except SessionRefused as refusal:
            self._refuse(ProtocolError("not_ready", str(refusal)))
        except StoreUnavailable:
            self._connection.counters.redis_errors += 1
            self._refuse(ProtocolError("not_ready", "Redis cannot be read; ask again"))

    async def _handle_text(self, text: str) -> None:
        connection = self._connection
        if not connection.client.speaks_json:
            connection.apply(TextReceived())
        message = parse_inbound(text)
        if isinstance(message, Chat):
            await self._chat.handle(message)
            return
        connection.guard.count_request(costly=isinstance(message, RestoreSession))
        if isinstance(message, Ping):
            connection.send_json(encode_pong(message))
        elif isinstance(message, Authenticate):
            connection.send_message(Authenticated(connection.guard.renew(message.token)))
        elif isinstance(message, RestoreSession):
            await self._restore(message)
        elif isinstance(message, RecalledEvents):
            # Accepted before the restore too, which may wait for them.
            self._session.receive_recalled(connection, message)
        elif self._chat.writer is None:
            raise ProtocolError("not_restored", "send restore_session first")
        else:
            connection.send_message(
                await self._session.history.page_before(message.before, message.limit)
            )

    async def _handle_binary(self, frame: bytes) -> None:
        if self._canvas is None:
            self._canvas = CanvasWriter(self._connection, self._session)
            self._wire.receive_binary_with(self._canvas.handle_at_once)
            self._connection.apply(BinaryReceived())
            if not self._connection.client.speaks_json:
                await self._open_canvas(self._canvas, frame)
                return
        await self._canvas.handle(frame)

    async def _open_canvas(self, canvas: CanvasWriter, frame: bytes) -> None:
        """Handle the first frame of a plain Yjs client, which is restored by the answer."""
        place = self._gate.take_place(id(self._connection))
        if not await self._enter_gate(place, [self._session.canvas]):
            return
        try:
            await canvas.handle(frame)
        finally:
            self._gate.leave(place)

    def _refuse(self, fault: ProtocolError) -> None:
        connection = self._connection
        connection.send_message(
            ErrorMessage(
                fault.code,
                fault.reason,
                n=fault.n,
                expected=fault.expected,
                retry_after_ms=fault.retry_after_ms,
            )
        )
        if fault.code == "rate_limited" and connection.guard.count_refusal():
            connection.close(CloseCode.TOO_FAST)
        if fault.is_temporary:
            return
        connection.counters.bad_frames += 1
        self._bad_frames += 1
        if self._bad_frames > MAX_BAD_FRAMES:
            connection.close(CloseCode.BAD_FRAMES)

    # Restoring

    async def _restore(self, request: RestoreSession) -> None:
        connection = self._connection
        if request.session_id != connection.session_id:
            here = connection.session_id
            raise ProtocolError("wrong_session", f"this connection is to session {here}")
        if await self._is_overruled(request):
            connection.close(CloseCode.SERVICE_RESTART)
            return
        await connection.in_flight.wait_until_below(1)
        began = time.monotonic()
        place = self._gate.take_place(self._place_key(request))
        needed: list[LiveSession | LiveCanvas] = [self._session]
        if "canvas" not in request.can:
            needed.append(self._session.canvas)
        if not await self._enter_gate(place, needed, self._announce_wait):
            return
        try:
            await self._restore_from_store(request)
        except SessionRefused:
            raise  # its connections are closed; it says nothing about the health of this process
        except StoreUnavailable:
            connection.counters.redis_errors += 1
            connection.counters.restore_failures += 1
            raise ProtocolError("not_ready", "the session cannot be read; ask again") from None
        finally:
            self._gate.leave(place)
            self._context.gauges.restore_seconds.add(time.monotonic() - began)

    def _place_key(self, request: RestoreSession) -> object:
        """Return what a client is known by if it comes back, on this or another connection."""
        connection = self._connection
        if not request.client_id:
            return id(connection)
        return connection.session_id, connection.guard.permit.author_key(request.client_id)

    def _announce_wait(self, retry_after_ms: int) -> None:
        """Send a client whose restore will take long when to ask again, if it has none by then.

        A client that asked again too early waits on, without another announcement.
        """
        now = time.monotonic()
        if now - self._announced_at < _ANNOUNCED_FOR_SECONDS:
            return
        self._announced_at = now
        reason = f"many clients come back: ask again in {retry_after_ms} ms if you hear nothing"
        error = ErrorMessage("not_ready", reason, retry_after_ms=retry_after_ms)
        self._connection.send_message(error)

    async def _enter_gate(
        self,
        place: Place,
        needed: Sequence[LiveSession | LiveCanvas],
        announce: AnnounceWait | None = None,
    ) -> bool:
        """Wait for the turn of this connection; False if its client has gone by then.

        The turn is given up while another client's restore loads what is `needed`: that load may be
        long, and would take the turns of all other sessions.
        """
        gate, connection = self._gate, self._connection
        await gate.enter(place, announce)
        while loading := [part for part in needed if part.is_loading]:
            gate.leave(place, done=False)
            await loading[0].wait_for_load()
            await gate.enter(place)
        if place.waited_seconds >= _GONE_AFTER_SECONDS:
            self._arrived = await self._receive_arrived()
        gone = self._arrived is not None and self._arrived["type"] == "websocket.disconnect"
        if gone or connection.is_closing:
            gate.leave(place, done=False)
            if gone:
                gate.keep(place)
            return False
        return True

    async def _restore_from_store(self, request: RestoreSession) -> None:
        self._connection.apply(RestoreAsked(can_replica="replica" in request.can))
        try:
            await self._answer_restore(request)
        except BaseException:
            self._connection.apply(RestoreFailed())
            raise

    async def _answer_restore(self, request: RestoreSession) -> None:
        connection, session = self._connection, self._session
        client_id = request.client_id or f"c-{secrets.token_hex(8)}"
        author = connection.guard.permit.author_key(client_id)
        await session.ensure_loaded()
        if await session.needs_copy(connection, request.position, bytes(request.held)):
            raise ProtocolError("not_ready", "the log is being restored; ask again")
        while True:
            view = None if "canvas" in request.can else await session.ensure_view()
            standing = ClientStanding(0, 0)
            if request.client_id:
                standing = await self._context.store.read_standing(session.session_id, author)
            history = await session.history.since(request.position, standing.chat_seq)
            if view is None or session.canvas.follows(view):
                break
        # No await from here on: an event between the answer and the feed would be lost.
        ids = [] if view is None else list(view.cut_ids())
        restored = SessionRestored(
            session_id=session.session_id,
            client_id=client_id,
            mode=history.mode,
            position=history.position,
            last_n=standing.last_n,
            chat_history=[msgspec.Raw(event) for event in history.events],
            canvas_state=None if view is None else view.pick(ids[0]),
            server=self._context.identity,
            permit=connection.guard.grant(),
            limits=SERVER_LIMITS,
            features=CHAT_FEATURES,
            **(self._context.region.describe() if self._context.region else {}),
        )
        self._enter_session(request, author)
        permit = connection.guard.permit
        self._chat.writer = ChatWriter(connection, session, permit, client_id, standing.last_n)
        connection.send_message(restored)
        if view is not None and len(ids) > 1:
            start_once("send more elements", send_elements(connection, view, ids[1:]))

    async def _is_overruled(self, request: RestoreSession) -> bool:
        """True if the client proves that another region writes: it must go there."""
        region, proof = self._context.region, request.region_proof
        if region is None or isinstance(proof, msgspec.UnsetType):
            return False
        return await region.is_overruled_by(proof)

    def _enter_session(self, request: RestoreSession, author: str) -> None:
        connection, can = self._connection, request.can
        answered = RestoreAnswered(
            author,
            request.generation,
            can_canvas="canvas" in can,
            can_migrate="migrate" in can,
            can_batch="batch" in can,
            can_regions="regions" in can,
        )
        connection.apply(answered)
        self._session.audience.record_generation(author, request.generation)
        connection.counters.restores += 1
        if request.gap_ms is not None:
            connection.histograms.gap_seconds.add(request.gap_ms / 1000)
