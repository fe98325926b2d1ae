"""The socket of one client, and what is behind it."""

import asyncio
import os
import time
from collections.abc import Hashable, Sequence
from typing import cast

from isshoni.backend.tasks import start_once
from isshoni.relay.core.downward import CLOSE_SECONDS
from isshoni.relay.core.handshake import (
    Handshake,
    TooLarge,
    cut_request,
    make_refusal,
    read_handshake,
)
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.moves import Failure
from isshoni.relay.doors import Address
from isshoni.relay.exchange import Exchange
from isshoni.relay.program_events import LegEvents, TunnelEvents
from isshoni.relay.program_socket import ProgramSocket, dial, dial_first
from isshoni.relay.stream import Stream
from isshoni.relay.transports import (
    EVICTED_SECONDS,
    HALF_CLOSED_SECONDS,
    HEAD_SECONDS,
    LINGER_SECONDS,
    REFUSED_SECONDS,
    SmallReads,
    close,
    finish,
    keep_alive,
    make_key,
    read,
    write,
)

_MAX_REASON_BYTES = 123
"""A control frame has at most 125 bytes (RFC 6455, 5.5)."""


class ClientSocket(SmallReads):
    """Reads a client's handshake, dials a program, then lets a `Link` pass the frames."""

    def __init__(self, exchange: "Exchange[ClientSocket]", door: str) -> None:
        self.door = door
        """The colour whose door the client came by."""
        self.handshake: Handshake | None = None
        self.key: Hashable = None
        """The session that it belongs to; clients of one session move together."""
        self.link: Link | None = None
        self._exchange = exchange
        self._head = bytearray()
        self._early: list[bytes] = []
        self._transport: Stream | None = None
        self._tunnel: ProgramSocket | None = None
        self._legs: dict[ProgramSocket, Leg] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        """Ends a client that reads nothing once its program has ended."""
        self._full: set[object] = set()
        self._is_full = False
        self._is_refused = False
        self._has_finished = False
        """True once the client sends no more."""
        self._is_finished = False
        """True once the client was let know that no more comes."""
        self._subprotocol: str | None = None
        self._settled: asyncio.Future[None] | None = None
        """Done once a move has switched or failed."""

    # Reading the handshake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        self._transport = Stream(transport)
        keep_alive(transport)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(HEAD_SECONDS, self._answer, 408, "no handshake came")

    def data_received(self, data: bytes) -> None:
        """Read the handshake; then pass bytes to the program."""
        if self.link is not None:
            self.link.client_sent(data, time.monotonic())
            if self.link.is_full:
                self.program_is_full_of("held", True)
        elif self._is_refused:
            return
        elif self._tunnel is not None:
            self._tunnel.write(data)
        elif self.handshake is not None:
            self._early.append(data)
            self._pause(True)
        else:
            self._read_head(data)

    def _read_head(self, data: bytes) -> None:
        self._head += data
        try:
            found = cut_request(self._head)
            if found is None:
                return
            head, body, rest = found
            self.handshake = read_handshake(head, os.urandom(16).hex().encode(), body)
        except TooLarge as fault:
            self._answer(fault.status, str(fault))
            return
        except ValueError as fault:
            self._answer(400, str(fault))
            return
        self._head.clear()
        self._cancel_deadline()
        if rest:
            self._early.append(rest)
        start_once("open a relayed connection", self._open(self.handshake))

    async def _open(self, handshake: Handshake) -> None:
        found = await self._dial_first(handshake)
        if found is None:
            return
        program, colour = found
        if self._transport is None or self._transport.is_closing():
            program.end()
            return
        if program.answered.result().is_open and handshake.is_upgrade:
            self._start_link(program, colour, handshake)
        else:
            self._start_tunnel(program, handshake)
        self._pause(bool(self._full))
        self._pass_early()

    def _pass_early(self) -> None:
        """Pass on what came while the program was dialed."""
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self._has_finished:
            self.eof_received()

    async def _dial_first(self, handshake: Handshake) -> tuple[ProgramSocket, str] | None:
        """Dial the best program of those to try; None: the client was refused.

        Only WebSockets move, and are counted.
        """
        try:
            chosen = self._exchange.choose(self)
        except ValueError as fault:
            self._answer(400, f"the request cannot be read: {fault}")
            return None
        if handshake.is_upgrade:
            found = await dial_first(chosen, handshake, self._exchange.answered)
        else:
            found = await dial_first([c for c in chosen if c[0] == self.door], handshake)
        if isinstance(found, str):
            self._answer(502, found or f"no program is behind the door of {self.door}")
            return None
        return found

    def _start_link(self, program: ProgramSocket, colour: str, handshake: Handshake) -> None:
        answer = program.answered.result()
        try:
            profile = self._exchange.make_profile(handshake, colour, answer)
        except ValueError as fault:
            program.abort()
            self._answer(400, f"the request cannot be read: {fault}")
            return
        self.write(answer.head)
        self._subprotocol = answer.subprotocol
        leg = Leg(program, colour)
        self.link = Link(self, leg, profile, self._exchange.timing, make_key)
        self._exchange.entered(self)
        self._attach(program, leg)

    def _start_tunnel(self, program: ProgramSocket, handshake: Handshake) -> None:
        """Pass on the answer to one request; a next one has to come by a new connection.

        On this one it would be a WebSocket that the relay does not know and cannot move.
        """
        answer = program.answered.result()
        if handshake.is_upgrade:
            self._exchange.refused(self.door, answer.status)
        self.write(answer.head if answer.is_open else answer.last_head)
        self._is_refused = handshake.is_upgrade
        self._tunnel = program
        program.listen(TunnelEvents(self))

    def _attach(self, program: ProgramSocket, leg: Leg) -> None:
        self._legs[program] = leg
        program.listen(LegEvents(self, program, leg))
        if self._is_full:
            program.read(False)

    def _answer(self, status: int, reason: str) -> None:
        """Refuse the client with an HTTP answer."""
        if self._is_refused or self._transport is None or self._transport.is_closing():
            return
        self._cancel_deadline()
        self._is_refused = True
        self._exchange.refused(self.door, status)
        self._transport.write(make_refusal(status, reason))
        self._pause(False)  # what is unread when a socket is closed resets it: no answer is read
        finish(self._transport)
        self._deadline = asyncio.get_running_loop().call_later(REFUSED_SECONDS, self.end)

    # Moving

    @property
    def address(self) -> Address | None:
        """Return where the program listens that its frames go to; None without a WebSocket."""
        return None if self.link is None else cast(ProgramSocket, self.link.leg.pipe).address

    async def move(self, colour: str, addresses: Sequence[Address]) -> Failure | None:
        """Move the client to the first program that answers; return why not if it stays.

        Returns once its frames go to the new program, or the move has failed.
        """
        link, handshake = self.link, self.handshake
        if link is None or handshake is None:
            return Failure.CLOSING
        failure = link.begin(time.monotonic())
        if failure is not None:
            return failure
        request = handshake.replay(link.colour)
        timeout = self._exchange.timing.dial_seconds
        for address in addresses:
            try:
                program = await dial(address, request, timeout)
            except OSError:
                continue
            return await self._join(link, program, colour)
        self._exchange.answered(colour, None)
        link.fail(Failure.UNREACHABLE)
        return link.failure

    async def _join(self, link: Link, program: ProgramSocket, colour: str) -> Failure | None:
        answer = program.answered.result()
        self._exchange.answered(colour, answer.status, is_move=True)
        fault = None
        if not answer.is_open:
            fault = Failure.REFUSED
        elif answer.subprotocol != self._subprotocol:
            fault = Failure.SUBPROTOCOL
        if fault is not None or not link.is_moving:
            program.abort()
            link.fail(fault or Failure.CLOSING)
            return link.failure or Failure.CLOSING
        leg = Leg(program, colour)
        link.new_opened(leg, time.monotonic())
        self._attach(program, leg)
        self._settled = asyncio.get_running_loop().create_future()
        await self._settled
        return None if link.leg is leg else (link.failure or Failure.CLOSING)

    def close(self, code: int, reason: str) -> None:
        """Close the client's WebSocket with a code, and its program's connection."""
        if self.link is not None:
            cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
            self.link.close(code.to_bytes(2, "big") + cut.encode(), time.monotonic())
            loop = asyncio.get_running_loop()
            loop.call_later(CLOSE_SECONDS, lambda: self.tick(time.monotonic()))

    def evict(self, code: int, reason: str) -> None:
        """Close the client, and a moment later its socket, whether or not it reads the code."""
        self._exchange.reads(self, True)
        self.close(code, reason)
        if self._transport is not None:
            asyncio.get_running_loop().call_later(EVICTED_SECONDS, self._transport.abort)

    @property
    def unread_bytes(self) -> int:
        """Return how many bytes wait until the client reads."""
        kept = 0 if self.link is None else self.link.leg.kept_bytes
        return kept + (0 if self._transport is None else self._transport.kept_bytes)

    # As a pipe of the link

    def write(self, data: bytes) -> None:
        """Send bytes to the client, or queue them."""
        if data and self._transport is not None and not self._is_finished:
            write(self._transport, data)

    def finish(self) -> None:
        """Let the client know, after what was written, that no more comes."""
        if not self._is_finished:
            self._is_finished = True
            finish(self._transport)
            self._end_soon()

    def end(self) -> None:
        """Close the client's socket after what was written."""
        close(self._transport)

    # Backpressure

    def pause_writing(self) -> None:
        """Stop reading from the programs: the client does not read."""
        self._set_full(True)

    def resume_writing(self) -> None:
        """Read from the programs again."""
        self._set_full(False)

    def _set_full(self, is_full: bool) -> None:
        self._is_full = is_full
        self._exchange.reads(self, not is_full)
        self._watch_unread()
        if self.link is not None:
            self.link.client_reads = not is_full
        for program in self._legs:
            program.read(not is_full)
        if self._tunnel is not None:
            self._tunnel.read(not is_full)

    def _watch_unread(self) -> None:
        """Check from time to time, while the client reads nothing, that its program lives."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self._is_full:
            loop = asyncio.get_running_loop()
            self._unread = loop.call_later(LINGER_SECONDS, self._end_unread)

    def _end_unread(self) -> None:
        """End the client's socket if its program has ended, and only unread data hides that."""
        self._watch_unread()
        if self._transport is not None and any(program.has_closed for program in self._legs):
            self._transport.abort()

    def program_is_full_of(self, source: object, is_full: bool) -> None:
        """Stop reading from the client while a program does not read."""
        (self._full.add if is_full else self._full.discard)(source)
        self._pause(bool(self._full))

    def _pause(self, wanted: bool) -> None:
        if self._transport is not None and not self._has_finished:
            read(self._transport, not wanted)

    def tick(self, now: float) -> None:
        """Do what is due in a move."""
        link = self.link
        if link is not None:
            link.tick(now)
            if not link.is_before_switch:
                self._settle()
            if "held" in self._full and not link.is_full:
                self.program_is_full_of("held", False)

    def _settle(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    # Ends

    def eof_received(self) -> bool:
        """Pass on that the client sends no more; False if it gets no more, which closes it."""
        self._has_finished = True
        if self.link is not None:
            self.link.client_finished()
        elif self._tunnel is not None:
            self._tunnel.finish()
        if self.link is not None or self._is_finished:
            self._end_soon()
        return self.handshake is not None and not self._is_refused

    def _end_soon(self) -> None:
        """End the client's socket: now if both ends have finished, else after some time."""
        if self._has_finished and self._is_finished:
            self.end()
        else:
            self._cancel_deadline()
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(HALF_CLOSED_SECONDS, self.end)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connections to the programs."""
        self._cancel_deadline()
        self._is_full = False
        self._watch_unread()
        if self.link is not None:
            self.link.client_lost()
            self._settle()
            self._exchange.left(self)
        elif self._tunnel is not None:
            self._tunnel.end()

    def leg_lost(self, program: ProgramSocket, leg: Leg) -> None:
        """Handle the end of a program's socket."""
        self._legs.pop(program, None)
        self.program_is_full_of(program, False)
        if self.link is not None:
            self.link.program_lost(leg, time.monotonic())
