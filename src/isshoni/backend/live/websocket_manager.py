"""Admit, serve and close the connections of this process, session by session."""

import asyncio
import time
from functools import partial
from itertools import islice
from typing import Protocol

from starlette.types import Receive, Scope, Send

from isshoni.backend.context import BackendContext
from isshoni.backend.live.admission import Admission, Refused
from isshoni.backend.live.census import Census
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.reader import Reader
from isshoni.backend.live.restore_gate import RestoreGate
from isshoni.backend.live.wire import find_wire
from isshoni.backend.log import log_event
from isshoni.backend.metrics.open_files import (
    OpenFilesWatch,
    affordable_connections,
    open_files_limit,
)
from isshoni.backend.security.addresses import client_address
from isshoni.backend.security.auth import Permit
from isshoni.backend.security.origins import origin_fault
from isshoni.backend.tasks import run_all, start_lasting
from isshoni.session.close_codes import CloseCode
from isshoni.session.identifiers import PROBE_PREFIX
from isshoni.session.server.connection_states import Ending

UNLOAD_GRACE_SECONDS = 5.0
"""Seconds that a session without connections stays loaded: users reload pages."""
CHECK_SECONDS = 1.0
_CHECKED_AT_ONCE = 1000
_MAX_REASON_CHARACTERS = 100
"""A close frame has room for a reason of 123 bytes (RFC 6455, 5.5)."""


class ConnectionWatcher(Protocol):
    """Is called for each connection that opens or has ended."""

    def note_opened(self, connection: Connection) -> None:
        """Handle a connection that was admitted."""

    def note_ended(self, connection: Connection) -> None:
        """Handle a connection whose WebSocket has ended."""


class WebSocketManager:
    """The sessions of this process and their connections."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._sessions: dict[str, LiveSession] = {}
        self._admission = Admission(context)
        self._gate = RestoreGate()
        limits = context.settings.limits
        self._census = Census(limits, affordable_connections(open_files_limit()))
        self._open_files = OpenFilesWatch(context.counters)
        self.draining = False
        self.watcher: ConnectionWatcher | None = None
        """The move that runs: it need not search for who came and who left."""
        context.store.on_reconnect(self._catch_up)
        if context.region is not None:
            context.region.on_overruled = self._close_all
            context.region.on_change.append(self._close_incomplete)

    @property
    def connection_count(self) -> int:
        """The number of connections that were admitted and are open."""
        return self._census.connections

    @property
    def session_count(self) -> int:
        """The number of sessions that have connections here."""
        return sum(1 for session in self._sessions.values() if session.audience)

    @property
    def probe_count(self) -> int:
        """The number of connections to sessions of probes, which an engine sends."""
        probed = [it for id, it in self._sessions.items() if id.startswith(PROBE_PREFIX)]
        return sum(len(session.audience) for session in probed)

    def connections_by_session(self) -> list[list[Connection]]:
        """List the connections, session by session, oldest first."""
        return [session.audience.connections() for session in self._sessions.values()]

    async def serve(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket (raw ASGI)."""
        settings, counters = self._context.settings, self._context.counters
        await receive()
        behind_proxies = settings.trusted_proxies > 0
        fault = origin_fault(
            scope["headers"],
            settings.origins,
            behind_proxies=behind_proxies,
            regions=settings.region_alternatives,
        )
        if fault is not None:
            counters.refused_origin += 1
            log_event("refused_origin", session=session_id, at="websocket", reason=fault)
            # Before the handshake is over this is HTTP 403.
            await send({"type": "websocket.close"})
            return
        if not self._takes_connections:
            await _refuse_with_503(send)
            return
        await send({"type": "websocket.accept"})
        peer = scope["client"][0] if scope["client"] else None
        address = client_address(peer, scope["headers"], settings.trusted_proxies)
        try:
            permit = self._admit(session_id, address, scope)
        except Refused as refusal:
            counters.count_refusal(refusal.code)
            log_event("refused", session=session_id, code=int(refusal.code), reason=refusal.reason)
            code, reason = int(refusal.code), refusal.reason[:_MAX_REASON_CHARACTERS]
            await send({"type": "websocket.close", "code": code, "reason": reason})
            return
        wire = find_wire(scope, send)
        # Not needed any more; it would use memory for as long as the connection is open.
        scope.clear()
        session = self._session(session_id)
        connection = Connection(self._context, session_id, permit, wire)
        self._enter(session, connection, address)
        try:
            await Reader(self._context, connection, session, receive, self._gate, wire).run()
        finally:
            self._leave(session, connection, address)

    @property
    def _takes_connections(self) -> bool:
        region = self._context.region
        return region is None or region.takes_connections

    def count_wrong_path(self, scope: Scope) -> None:
        """Count and log a handshake for a path without a WebSocket; the answer is HTTP 403."""
        self._context.counters.refused_path += 1
        reason = "WebSockets are under /ws/SESSION"
        log_event("refused", path=scope["path"][:200], status=403, reason=reason)

    def _admit(self, session_id: str, address: str | None, scope: Scope) -> Permit:
        permit, moves = self._admission.admit(session_id, scope["query_string"], scope["headers"])
        if self.draining:
            raise Refused(CloseCode.SERVICE_RESTART, "this server is stopping")
        if moves:
            # The other colour counted it: only the hard ceiling applies to a connection that moves.
            self._census.check_mover()
        else:
            session = self._sessions.get(session_id)
            in_session = len(session.audience) if session else 0
            self._census.check(address, len(self._sessions), in_session)
        return permit

    def _session(self, session_id: str) -> LiveSession:
        session = self._sessions.get(session_id)
        if session is None:
            session = LiveSession(session_id, self._context)
            self._sessions[session_id] = session
        return session

    def _enter(self, session: LiveSession, connection: Connection, address: str | None) -> None:
        session.audience.enter(connection)
        connection.count_for(self._census.enter(address))
        self._context.counters.connections_opened += 1
        if self.watcher is not None:
            self.watcher.note_opened(connection)

    def _leave(self, session: LiveSession, connection: Connection, address: str | None) -> None:
        if connection.ending is not Ending.GOODBYE:
            session.canvas.leave(connection)
        session.audience.leave(connection)
        self._drop_waiting_writes(session, connection)
        self._census.leave(address)
        if self.watcher is not None:
            self.watcher.note_ended(connection)
        if not session.audience:
            loop = asyncio.get_running_loop()
            loop.call_later(UNLOAD_GRACE_SECONDS, self._spawn_unload, session)

    def _drop_waiting_writes(self, session: LiveSession, connection: Connection) -> None:
        """Drop what was not sent to Redis: the client sends it again where it is now."""
        region = self._context.region
        if region is None or region.state == "serving":
            return
        connection.in_flight.drop(region.holds)
        if not session.audience:
            session.canvas_batches.drop(region.holds)

    async def close_expired(self) -> None:
        """Close connections whose token or time to restore has ended; runs for ever.

        All connections are checked once a second, instead of a timer for each.
        """
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self._open_files.look(time.monotonic())
            connections = iter([c for session in self.connections_by_session() for c in session])
            while batch := list(islice(connections, _CHECKED_AT_ONCE)):
                now = time.time()
                for connection in batch:
                    connection.check_time(now)
                await asyncio.sleep(0)

    def _spawn_unload(self, session: LiveSession) -> None:
        if not session.audience:
            start_lasting("unload a session", partial(self._unload, session))

    async def _unload(self, session: LiveSession) -> None:
        await session.unload()
        if not session.audience and self._sessions.get(session.session_id) is session:
            del self._sessions[session.session_id]

    def _catch_up(self) -> None:
        for session in list(self._sessions.values()):
            session.catch_up_soon()

    def _close_all(self) -> None:
        """Close every connection: another region has the sessions."""
        for session in self.connections_by_session():
            for connection in session:
                connection.close(CloseCode.SERVICE_RESTART)

    def _close_incomplete(self) -> None:
        """Close connections with dropped writes once this region writes: they are sent again."""
        if self._context.region is None or self._context.region.state != "serving":
            return
        for session in self.connections_by_session():
            for connection in session:
                if connection.has_dropped:
                    connection.close(CloseCode.SERVICE_RESTART)

    async def finish_all(self) -> None:
        """Refuse new connections, and close each other one once its messages are acknowledged."""
        self.draining = True
        connections = [c for session in self.connections_by_session() for c in session]
        await run_all("finish a connection", [_finish(c) for c in connections])
        while waiting := [c.wait_until_gone() for s in self.connections_by_session() for c in s]:
            await run_all("wait until a connection has ended", waiting)


async def _refuse_with_503(send: Send) -> None:
    """Answer a handshake so that the client tries the next address."""
    headers = [(b"retry-after", b"1"), (b"content-length", b"0")]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _finish(connection: Connection) -> None:
    try:
        await connection.finish(CloseCode.SERVICE_RESTART)
    except Exception as fault:
        connection.fail(fault)  # the drain still waits for all the others
