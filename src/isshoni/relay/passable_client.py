"""A client that another process can continue to serve."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Failure
from isshoni.relay.program_events import TunnelEvents
from isshoni.relay.program_socket import ProgramSocket
from isshoni.relay.stream import Parked, Stream, continue_socket


class PassableClient(ClientSocket):
    """A client whose sockets can be parked, and continued by this process or another."""

    _unsent = b""
    """Of a socket that was parked: what the client must get first."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake, unless the connection continues after it."""
        if self.handshake is None:
            super().connection_made(transport)
        else:
            self._transport, self._unsent = Stream(transport, self._unsent), b""

    def resume_writing(self) -> None:
        """Read from the programs again."""
        super().resume_writing()
        if self._transport is not None:
            self._transport.forget_sent()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connections to the programs, unless the socket was parked."""
        if self._transport is not None and self._transport.end():
            return
        super().connection_lost(exc)
        self._exchange.left(self)

    @property
    def is_open(self) -> bool:
        """True while the client's socket is open."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def program(self) -> ProgramSocket | None:
        """Return the program's socket; None without one, and while a client moves."""
        if self.link is None:
            return self._tunnel
        leg = self.link.only_leg
        return None if leg is None else cast(ProgramSocket, leg.pipe)

    @property
    def can_be_parked(self) -> bool:
        """True if nothing is under way that only this process can finish."""
        is_ending = self._is_refused or self._has_finished or self._is_finished
        if not self.is_open or self._early or is_ending:
            return False
        if self.handshake is None:
            return True
        return self.program is not None and self.program.can_be_parked

    def fail_move(self, failure: Failure) -> None:
        """End a move before its switch; the client stays where it is."""
        if self.link is not None:
            self.link.fail(failure)
            self._settle()

    def park(self) -> "list[asyncio.Future[Parked]]":
        """Free the sockets from this process: the client's, and its program's if it has one."""
        assert self._transport is not None
        self._cancel_deadline()
        self._full.clear()
        self._is_full = False
        self._watch_unread()
        if self.link is not None:
            self.link.client_reads = True
        parking = [self._transport.park()]
        if self.program is not None:
            parking.append(self.program.park())
        return parking

    def save(self) -> tuple[Any, ...]:
        """Return what another process needs beside the sockets."""
        return bytes(self._head), self.handshake, self.key, self._subprotocol, self.link

    def restore(self, saved: tuple[Any, ...], program: ProgramSocket | None) -> None:
        """Become the client that another process has saved."""
        head, self.handshake, self.key, self._subprotocol, self.link = saved
        self._head += head
        if self.link is None:
            self._tunnel = program

    async def continue_with(self, sockets: Sequence[Parked]) -> None:
        """Serve parked sockets: the client's, and its program's if it has one."""
        client, *others = sockets
        program, self._unsent = self.program, client.unsent
        for one in others:
            assert program is not None
            await program.continue_with(one)
        await continue_socket(self, client.descriptor)
        if program is None:
            return
        if self.link is not None and self.link.only_leg is not None:
            self._attach(program, self.link.only_leg)
        elif self._tunnel is not None:
            program.listen(TunnelEvents(self))
