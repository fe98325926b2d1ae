"""How a client keeps a connection: returns after a loss, moves without one."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlencode

from isshoni.client.connection import Connection
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.client.token import TokenSource
from isshoni.session.backoff import Backoff
from isshoni.session.close_codes import CloseCode, should_come_back, should_come_back_at_once
from isshoni.session.messages import RestoreSession

MAX_REFUSED_TOKENS = 3
"""Fresh tokens in a row that the server may refuse before we believe it."""


class LifelineOwner(Protocol):
    """Whom a lifeline serves."""

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Say what to restore from."""

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Take a frame from any connection that still lives."""

    def on_lost(self) -> None:
        """Learn that there is no current connection any more."""


class Lifeline:
    """The connections of one client.

    One is `current`, and beside it at most one is on its way (`_next`): a return after
    a loss, or a move. Every other that still lives has been said goodbye to, and only
    brings its last events; its end, however late, changes nothing.
    """

    def __init__(
        self,
        url: str,
        query: str,
        owner: LifelineOwner,
        listener: ClientListener,
        settings: ClientSettings,
        tokens: TokenSource,
        uniform: Callable[[], float],
    ) -> None:
        self.current: Connection | None = None
        """The connection that is open and restored, if there is one."""
        self._url = url
        self._query = query
        self._owner = owner
        self._listener = listener
        self._settings = settings
        self._tokens = tokens
        self._unauthenticated = 0
        """Tokens that were refused, one after another."""
        self._backoff = Backoff(settings.backoff, uniform)
        self._generation = 0
        self._next: Connection | None = None
        self._next_is_move = False
        self._alive: set[Connection] = set()
        self._lost_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        """For the next return, or for giving up a move that became one."""
        self._closed = False

    def open(self) -> None:
        """Open a connection; `make_restore` and `promote` follow."""
        self._open(self._query, is_move=False)

    def move(self, to: str, ticket: str) -> None:
        """Open a connection to another colour beside the current one."""
        if self._next is None and not self._closed:
            self._open("?" + urlencode({"target": to, "ticket": ticket}), is_move=True)

    def is_next(self, connection: Connection) -> bool:
        """Say whether `connection` is the one on its way."""
        return connection is self._next

    def calculate_gap_ms(self) -> int | None:
        """Give how long there has been no connection; None when there never was one."""
        if self.current is not None:
            return 0
        return None if self._lost_at is None else round((time.monotonic() - self._lost_at) * 1000)

    def promote(self, connection: Connection) -> None:
        """Make the next connection, now restored, the current one.

        From here on everything goes to it. The caller sends what must go first before
        it awaits anything.
        """
        assert connection is self._next
        old, self.current, self._next = self.current, connection, None
        now = time.monotonic()
        self._backoff.restored(now)
        self._unauthenticated = 0
        self._cancel_timer()
        if old is not None:
            self._tell(ConnectionState.MOVED, connection, now, gap_seconds=0.0)
            old.close()
        else:
            gap_seconds = None if self._lost_at is None else now - self._lost_at
            self._tell(ConnectionState.RESTORED, connection, now, gap_seconds=gap_seconds)
        self._lost_at = None

    async def aclose(self) -> None:
        """Say goodbye on every connection, and stay away."""
        self._closed = True
        self._cancel_timer()
        connections = list(self._alive)
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.wait_ended()

    async def acrash(self) -> None:
        """Drop every connection without a close frame, and do not reconnect."""
        self._closed = True
        self._cancel_timer()
        for connection in list(self._alive):
            connection.abandon()
            await connection.wait_ended()

    # What connections tell (ConnectionOwner).

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Say what to restore from, as of now."""
        return self._owner.make_restore(connection)

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""
        return self._owner.is_owed_answer()

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Pass a frame on."""
        self._owner.on_frame(connection, frame)

    def on_end(self, connection: Connection, close_code: int, since: float) -> None:
        """Come back, stay, or stay away, now that a connection is gone."""
        self._alive.discard(connection)
        if connection is self.current:
            self.current = None
            self._owner.on_lost()
            if not self._closed:
                self._on_current_lost(connection, close_code, since)
        elif connection is self._next and not self._closed:
            self._next = None
            self._on_next_failed(connection, close_code)

    def _on_current_lost(self, lost: Connection, close_code: int, since: float) -> None:
        self._lost_at = since
        self._tell(ConnectionState.LOST, lost, since, close_code=close_code)
        if not self._may_come_back(close_code):
            self._stay_away(lost, close_code)
        elif self._next is None:
            self._return_soon(close_code)
        else:
            # A move was under way: it becomes the return, if it is soon.
            self._call_later(self._settings.abandoned_move_seconds, self._next.abandon)

    def _on_next_failed(self, failed: Connection, close_code: int) -> None:
        if self.current is not None:
            message = f"the connection to move to was closed with {close_code}"
            self._listener.on_error("move_failed", message, time.monotonic())
        elif self._next_is_move or self._may_come_back(close_code):
            self._return_soon(close_code)
        else:
            self._stay_away(failed, close_code)

    def _may_come_back(self, close_code: int) -> bool:
        """Say whether to come back; with a fresh token a refused one is no obstacle."""
        if close_code != CloseCode.UNAUTHENTICATED or not self._tokens.renews:
            return should_come_back(close_code)
        self._unauthenticated += 1
        return self._unauthenticated <= MAX_REFUSED_TOKENS

    def _open(self, query: str, *, is_move: bool) -> None:
        self._generation += 1
        self._next_is_move = is_move
        self._next = Connection(
            self._url + query, self._generation, self, self._settings, self._tokens
        )
        self._alive.add(self._next)

    def _return_soon(self, close_code: int) -> None:
        prompt = should_come_back_at_once(close_code)
        delay = self._backoff.next_delay_seconds(time.monotonic(), prompt=prompt)
        self._call_later(delay, self.open)

    def _stay_away(self, connection: Connection, close_code: int) -> None:
        self._closed = True
        if self._next is not None:
            self._next.abandon()
        now = time.monotonic()
        self._tell(ConnectionState.REFUSED, connection, now, close_code=close_code)

    def _call_later(self, delay_seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(delay_seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(
        self,
        state: ConnectionState,
        connection: Connection,
        at: float,
        *,
        gap_seconds: float | None = None,
        close_code: int | None = None,
    ) -> None:
        server = connection.server
        change = ConnectionChange(
            state=state,
            generation=connection.generation,
            server_version=server.version if server else None,
            colour=server.colour if server else None,
            gap_seconds=gap_seconds,
            close_code=close_code,
        )
        self._listener.on_connection(change, at)
