"""How a client keeps a connection: returns after a loss, moves without one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlencode

from msgspec import UNSET, UnsetType

from isshoni.client.connection import Connection
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.client.states import (
    Effect,
    Event,
    Idle,
    Lost,
    Migrate,
    Moving,
    Open,
    Opening,
    Overdue,
    Restored,
    State,
    Stranded,
    step,
)
from isshoni.client.token import TokenSource
from isshoni.client.wire import ABNORMAL, OpenWire
from isshoni.session.addresses import Addresses, to_websocket
from isshoni.session.backoff import Backoff
from isshoni.session.close_codes import CloseCode, should_come_back, should_come_back_at_once
from isshoni.session.messages import Migrate as MigrateMessage
from isshoni.session.messages import RestoreSession, SessionRestored
from isshoni.session.region import read_proof

MAX_REFUSED_TOKENS = 3
"""Fresh tokens in a row that the server may refuse before we believe it."""


class LifelineOwner(Protocol):
    """What the `Lifeline`, which keeps the connection, needs from its client."""

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Return the restore request of a connection, as of now."""

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Handle a frame of any connection that has not ended."""

    def on_lost(self) -> None:
        """Handle the loss of the current connection."""


class Lifeline:
    """The connections of one client: carries out what its table of states says.

    At most two matter: `current`, and one that is being opened. Every other one that has not
    ended was closed by us, and only delivers its last events; its end changes nothing.
    """

    def __init__(
        self,
        addresses: Addresses,
        path: str,
        query: str,
        owner: LifelineOwner,
        listener: ClientListener,
        settings: ClientSettings,
        tokens: TokenSource,
        uniform: Callable[[], float],
        open_wire: OpenWire,
    ) -> None:
        self.current: Connection | None = None
        """The connection that is open and restored, if there is one."""
        self._addresses = addresses
        self._path = path
        self._query = query
        self._owner = owner
        self._listener = listener
        self._settings = settings
        self._tokens = tokens
        self._open_wire = open_wire
        self._unauthenticated = 0
        """Tokens that were refused, one after another."""
        self._backoff = Backoff(settings.backoff, uniform)
        self._state: State = Idle()
        self._generation = 0
        self._ticket = ""
        """Of the last move that was asked for."""
        self._move_address: str | None = None
        """Of the region that it leads to; None for a move within this one."""
        self._region_term = 0
        self._region_proof: str | None = None
        self._alive: dict[int, Connection] = {}
        """By generation."""
        self._lost_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        """For the next return, or for giving up a move that became one."""
        self._closed = False

    def open(self) -> None:
        """Open a connection; `make_restore` and `promote` follow."""
        self._handle(Open(self._generation + 1))

    def move(self, order: MigrateMessage) -> None:
        """Open a connection to another colour, process or region beside the current one."""
        if not self._closed:
            self._ticket = order.ticket
            self._move_address = to_websocket(order.address) if order.address else None
            self._handle(Migrate(order.to, self._generation + 1))

    @property
    def region_proof(self) -> str | UnsetType:
        """The proof of the latest term that any server sent."""
        return self._region_proof or UNSET

    def _note_region(self, connection: Connection, answer: SessionRestored) -> None:
        """Remember the other regions, and the proof of which one writes."""
        self._addresses.restored(connection.address, answer.alternatives or ())
        record = read_proof(answer.region_proof) if answer.region_proof else None
        if record is not None and record.term > self._region_term:
            self._region_term, self._region_proof = record.term, answer.region_proof or None

    def is_next(self, connection: Connection) -> bool:
        """True if `connection` is the one that is being opened."""
        match self._state:
            case Opening(next) | Moving(_, next) | Stranded(next):
                return next == connection.generation
        return False

    def calculate_gap_ms(self) -> int | None:
        """Return how long there has been no connection; None if there never was one."""
        if self.current is not None:
            return 0
        return None if self._lost_at is None else round((time.monotonic() - self._lost_at) * 1000)

    def promote(self, connection: Connection, answer: SessionRestored) -> None:
        """Use the next connection, now restored, as the current one.

        From here on everything goes to it. The caller sends what must go first before
        it awaits anything.
        """
        assert self.is_next(connection)
        self._cancel_timer()
        self._backoff.restored(time.monotonic())
        self._unauthenticated = 0
        self._note_region(connection, answer)
        self._handle(Restored(connection.generation))

    async def aclose(self) -> None:
        """Close every connection with 1000, and do not reconnect."""
        self._closed = True
        self._cancel_timer()
        connections = list(self._alive.values())
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.wait_ended()

    async def acrash(self) -> None:
        """Drop every connection without a close frame, and do not reconnect."""
        self._closed = True
        self._cancel_timer()
        for connection in list(self._alive.values()):
            connection.abandon()
            await connection.wait_ended()

    # What connections report (ConnectionOwner).

    def make_restore(self, connection: Connection) -> RestoreSession:
        """Return the restore request of a connection, as of now."""
        return self._owner.make_restore(connection)

    def is_owed_answer(self) -> bool:
        """True if the server has not acknowledged everything that was sent."""
        return self._owner.is_owed_answer()

    def on_frame(self, connection: Connection, frame: str | bytes) -> None:
        """Pass a frame on."""
        self._owner.on_frame(connection, frame)

    def on_end(self, connection: Connection, close_code: int, since: float) -> None:
        """Handle the end of a connection, which was of no use since `since`."""
        self._alive.pop(connection.generation, None)
        if self._closed:
            if connection is self.current:
                self.current = None
                self._owner.on_lost()
        elif connection is self.current or self.is_next(connection):
            comes_back = self._is_move(connection) or self._may_come_back(close_code)
            lost = Lost(connection.generation, comes_back)
            self._handle(lost, connection, since=since, close_code=close_code)

    # The effects of the table.

    def _handle(
        self,
        event: Event,
        lost: Connection | None = None,
        *,
        since: float | None = None,
        close_code: int = ABNORMAL,
    ) -> None:
        """Change the state, and carry out the effects; `lost` is the connection that ended."""
        was_opening = isinstance(self._state, Opening)
        self._state, effects = step(self._state, event)
        now = time.monotonic()
        for effect in effects:
            match effect.do:
                case "connect":
                    self._connect(effect)
                case "release":
                    self._release(effect.connection)
                case "wait":
                    delay = self._choose_delay(now, close_code, was_opening=was_opening)
                    self._call_later(delay, self.open)
                case "hurry":
                    delay = self._settings.abandoned_move_seconds
                    self._call_later(delay, lambda: self._handle(Overdue()))
                case "report":
                    connection = lost or self._alive[effect.connection or 0]
                    self._report(effect, connection, now if since is None else since, close_code)

    def _choose_delay(self, now: float, close_code: int, *, was_opening: bool) -> float:
        """Return the pause before the next attempt: none before an address not tried yet."""
        if not was_opening:
            self._addresses.lost()
        elif self._addresses.fail():
            return 0.0
        prompt = should_come_back_at_once(close_code)
        longest = self._addresses.longest_pause_seconds
        return self._backoff.next_delay_seconds(now, prompt=prompt, longest_seconds=longest)

    def _choose_place(self, to: str | None) -> tuple[str, str]:
        """Return the address and the query of the next connection."""
        if to is None:
            address = self._addresses.current
            return address, self._query if address == self._addresses.home else ""
        if self._move_address is not None:
            return self._move_address, "?" + urlencode({"ticket": self._ticket})
        query = "?" + urlencode({"target": to, "ticket": self._ticket})
        return self._addresses.current, query

    def _choose_settings(self) -> ClientSettings:
        """Return the settings; while there are others, an address that is silent gets less time.

        Only in the first round: on a slow network every address may need longer.
        """
        addresses, settings = self._addresses, self._settings
        longest = settings.alternative_timeout_seconds
        if not addresses.has_others or addresses.failed_rounds:
            return settings
        return replace(settings, open_timeout_seconds=min(settings.open_timeout_seconds, longest))

    def _connect(self, effect: Effect) -> None:
        self._generation = effect.connection or 0
        address, query = self._choose_place(effect.to)
        self._alive[self._generation] = Connection(
            address,
            self._path + query,
            self._generation,
            self,
            self._choose_settings(),
            self._tokens,
            self._open_wire,
        )

    def _release(self, generation: int | None) -> None:
        connection = self._alive.get(generation or 0)
        if connection is None:
            return
        if connection.server is None:
            connection.abandon()
        else:
            connection.close()

    def _report(self, effect: Effect, connection: Connection, at: float, close_code: int) -> None:
        match effect.report:
            case "restored" | "moved":
                self._report_use(connection, at, is_move=effect.report == "moved")
            case "lost":
                self.current = None
                self._lost_at = at
                self._owner.on_lost()
                self._tell(ConnectionState.LOST, connection, at, close_code=close_code)
            case "move_failed":
                message = f"the connection to move to was closed with {close_code}"
                self._listener.on_error("move_failed", message, time.monotonic())
            case "refused":
                self._closed = True
                self._tell(
                    ConnectionState.REFUSED, connection, time.monotonic(), close_code=close_code
                )

    def _report_use(self, connection: Connection, at: float, *, is_move: bool) -> None:
        self.current = connection
        if is_move:
            self._tell(ConnectionState.MOVED, connection, at, gap_seconds=0.0)
        else:
            gap_seconds = None if self._lost_at is None else at - self._lost_at
            self._tell(ConnectionState.RESTORED, connection, at, gap_seconds=gap_seconds)
        self._lost_at = None

    def _is_move(self, connection: Connection) -> bool:
        """True for a connection with a ticket; a refusal of it is no reason to stay away."""
        return isinstance(self._state, Moving | Stranded) and self.is_next(connection)

    def _may_come_back(self, close_code: int) -> bool:
        """True if the server allows to come back, or may after a fresh token."""
        if close_code != CloseCode.UNAUTHENTICATED or not self._tokens.renews:
            return should_come_back(close_code)
        self._unauthenticated += 1
        return self._unauthenticated <= MAX_REFUSED_TOKENS

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
            region=connection.region,
            gap_seconds=gap_seconds,
            close_code=close_code,
        )
        self._listener.on_connection(change, at)
