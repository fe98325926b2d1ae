"""The connections of this process, and the sessions that they are in."""

import asyncio
from urllib.parse import parse_qs

from starlette.types import Receive, Send

from isshoni.backend.connection import Connection
from isshoni.backend.context import BackendContext
from isshoni.backend.errors import BadTicket
from isshoni.backend.live_session import LiveSession
from isshoni.backend.log import log_event
from isshoni.session.close_codes import CloseCode
from isshoni.session.identifiers import is_identifier

UNLOAD_GRACE_SECONDS = 5.0
"""How long a session without connections is still followed: people reload pages."""


class WebSocketManager:
    """Everything live in this process."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._sessions: dict[str, LiveSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection_count = 0
        self.draining = False
        context.store.on_reconnect(self._catch_up)

    @property
    def session_count(self) -> int:
        """The sessions that have connections here."""
        return sum(1 for session in self._sessions.values() if session.connections)

    def connections_by_session(self) -> list[list[Connection]]:
        """List the connections, session by session, oldest first."""
        return [list(session.connections) for session in self._sessions.values()]

    async def serve(self, session_id: str, query: bytes, receive: Receive, send: Send) -> None:
        """Serve one WebSocket (raw ASGI)."""
        await receive()
        await send({"type": "websocket.accept"})
        refusal = self._refuse(session_id, query)
        if refusal is not None:
            await send({"type": "websocket.close", "code": int(refusal)})
            return
        session = self._sessions.get(session_id)
        if session is None:
            session = LiveSession(session_id, self._context.store, self._context.counters)
            self._sessions[session_id] = session
        connection = Connection(self._context, session, receive, send)
        self._enter(connection)
        try:
            await connection.run()
        finally:
            self._leave(connection)

    def _refuse(self, session_id: str, query: bytes) -> CloseCode | None:
        if not is_identifier(session_id):
            return CloseCode.BAD_SESSION_ID
        if query:
            try:
                self._check_ticket(session_id, query)
            except BadTicket as fault:
                log_event("bad_ticket", session=session_id, reason=fault)
                return CloseCode.BAD_TICKET
        if self.draining:
            self._context.counters.connections_failed += 1
            return CloseCode.SERVICE_RESTART
        return None

    def _check_ticket(self, session_id: str, query: bytes) -> None:
        tickets = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("ticket")
        if tickets is not None:
            self._context.tickets.check(tickets[0], session_id, self._context.settings.colour)

    def _enter(self, connection: Connection) -> None:
        connection.session.connections[connection] = None
        self.connection_count += 1
        self._context.counters.connections_opened += 1

    def _leave(self, connection: Connection) -> None:
        session = connection.session
        connection.gone = True
        del session.connections[connection]
        self.connection_count -= 1
        if not session.connections:
            loop = asyncio.get_running_loop()
            loop.call_later(UNLOAD_GRACE_SECONDS, lambda: self._spawn_unload(session))

    def _spawn_unload(self, session: LiveSession) -> None:
        if not session.connections:
            self._keep(asyncio.get_running_loop().create_task(self._unload(session)))

    async def _unload(self, session: LiveSession) -> None:
        await session.unload()
        if not session.connections and self._sessions.get(session.session_id) is session:
            del self._sessions[session.session_id]

    def _catch_up(self) -> None:
        for session in list(self._sessions.values()):
            self._keep(asyncio.get_running_loop().create_task(session.catch_up()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish_all(self) -> None:
        """Take nobody new, and close everybody once what they sent is acknowledged."""
        self.draining = True
        everybody = [c for session in self.connections_by_session() for c in session]
        await asyncio.gather(*(c.finish(CloseCode.SERVICE_RESTART) for c in everybody))
        while waiting := [c.wait_until_gone() for s in self.connections_by_session() for c in s]:
            await asyncio.gather(*waiting)
