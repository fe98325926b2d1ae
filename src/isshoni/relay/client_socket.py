"""The socket of one client, and what is behind it."""

import asyncio
import contextlib
import os
import time
from collections.abc import Hashable
from typing import Protocol, cast

from isshoni.backend.tasks import start_once
from isshoni.relay.core.handshake import (
    END,
    MAX_HEAD_BYTES,
    Answer,
    Handshake,
    read_handshake,
)
from isshoni.relay.core.link import Leg, Link
from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.doors import Address
from isshoni.relay.program_socket import ProgramSocket, dial

HEAD_SECONDS = 10.0
"""For a client to send its handshake."""
ANSWER_SECONDS = 10.0
"""For a program to answer the first handshake."""
SERVER_ERROR = 500
"""From this status on, an answer says that the program failed."""
_MAX_REASON_BYTES = 123
"""A control frame has at most 125 bytes (RFC 6455, 5.5)."""
_LINES = {
    400: b"400 Bad Request",
    408: b"408 Request Timeout",
    431: b"431 Request Header Fields Too Large",
    502: b"502 Bad Gateway",
}


class Exchange(Protocol):
    """What the relay does for its clients' sockets."""

    @property
    def timing(self) -> Timing:
        """How long each part of a move may take."""

    def choose(self, client: "ClientSocket") -> list[tuple[str, Address]]:
        """Return the programs for a new client, with their colours, the first choice first."""

    def list_addresses(self, colour: str, client: "ClientSocket") -> list[Address]:
        """Return the addresses of a colour's processes, the one for this client first."""

    def make_profile(self, handshake: Handshake, colour: str) -> Profile:
        """Return the profile of a new client's protocol."""

    def entered(self, client: "ClientSocket") -> None:
        """Record a client whose WebSocket is open."""

    def left(self, client: "ClientSocket") -> None:
        """Record the end of such a client."""

    def answered(self, colour: str, status: int | None) -> None:
        """Count the answer of a program to a handshake; None: there was none."""

    def refused(self, door: str, status: int) -> None:
        """Count a client that got no WebSocket."""


class ClientSocket(asyncio.Protocol):
    """Reads a client's handshake, dials a program, then lets a `Link` pass the frames."""

    def __init__(self, exchange: Exchange, door: str) -> None:
        self.door = door
        """The colour whose door the client came by."""
        self.handshake: Handshake | None = None
        self.key: Hashable = None
        """The session that it belongs to; clients of one session move together."""
        self.link: Link | None = None
        self._exchange = exchange
        self._head = bytearray()
        self._early: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._tunnel: ProgramSocket | None = None
        self._legs: dict[ProgramSocket, Leg] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._full: set[object] = set()
        self._is_full = False
        self._subprotocol: str | None = None
        self._settled: asyncio.Future[None] | None = None
        """Done once a move has switched or failed."""

    # Reading the handshake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(HEAD_SECONDS, self._answer, 408, "no handshake came")

    def data_received(self, data: bytes) -> None:
        """Read the handshake; then pass bytes to the program."""
        if self.link is not None:
            self.link.client_sent(data, time.monotonic())
            if self.link.is_full:
                self.program_is_full_of("held", True)
        elif self._tunnel is not None:
            self._tunnel.write(data)
        elif self.handshake is not None:
            self._early.append(data)
            self._pause(True)
        else:
            self._read_head(data)

    def _read_head(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(END)
        if end < 0:
            if len(self._head) > MAX_HEAD_BYTES:
                self._answer(431, f"the handshake has more than {MAX_HEAD_BYTES} bytes")
            return
        head, rest = bytes(self._head[: end + len(END)]), bytes(self._head[end + len(END) :])
        self._head.clear()
        if self._deadline is not None:
            self._deadline.cancel()
        try:
            self.handshake = read_handshake(head)
        except ValueError as fault:
            self._answer(400, str(fault))
            return
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
        answer = program.answered.result()
        self._transport.write(answer.head)
        if answer.is_open and handshake.is_upgrade:
            self._start_link(program, colour, handshake)
        else:
            self._start_tunnel(program, answer)
        self._pause(False)
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    async def _dial_first(self, handshake: Handshake) -> tuple[ProgramSocket, str] | None:
        """Dial the first program that answers, and not with an error of its own.

        The last one's error is passed on. None: the client was refused.
        """
        choices = self._exchange.choose(self)
        reason = f"no program is behind the door of {self.door}"
        for number, (colour, address) in enumerate(choices, 1):
            try:
                program = await dial(address, handshake.head, ANSWER_SECONDS)
            except OSError as fault:
                reason = f"{colour} cannot be reached: {fault}"
                self._exchange.answered(colour, None)
                continue
            status = program.answered.result().status
            if handshake.is_upgrade:
                self._exchange.answered(colour, status)
            if status < SERVER_ERROR or number == len(choices):
                return program, colour
            program.abort()
        self._answer(502, reason)
        return None

    def _start_link(self, program: ProgramSocket, colour: str, handshake: Handshake) -> None:
        self._subprotocol = program.answered.result().subprotocol
        leg = Leg(program, colour)
        profile = self._exchange.make_profile(handshake, colour)
        self.link = Link(self, leg, profile, self._exchange.timing, _make_key)
        self._exchange.entered(self)
        self._attach(program, leg)

    def _start_tunnel(self, program: ProgramSocket, answer: Answer) -> None:
        if not answer.is_open and self.handshake and self.handshake.is_upgrade:
            self._exchange.refused(self.door, answer.status)
        self._tunnel = program
        program.listen(_Tunnel(self))

    def _attach(self, program: ProgramSocket, leg: Leg) -> None:
        self._legs[program] = leg
        program.listen(_LegEvents(self, program, leg))
        if self._is_full:
            program.read(False)

    def _answer(self, status: int, reason: str) -> None:
        """Refuse the client with an HTTP answer."""
        self._exchange.refused(self.door, status)
        if self._transport is None or self._transport.is_closing():
            return
        body = reason.encode("utf-8", "replace") + b"\n"
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (_LINES[status], len(body), body)
        )
        self._transport.close()

    # Moving

    async def move(self, colour: str) -> Failure | None:
        """Move the client to another colour's program; return why not if it stays.

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
        for address in self._exchange.list_addresses(colour, self):
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
        self._exchange.answered(colour, answer.status)
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
        return None if link.colour == colour else (link.failure or Failure.CLOSING)

    def close(self, code: int, reason: str) -> None:
        """Close the client's WebSocket with a code, and its program's connection."""
        if self.link is not None:
            self.link.close(code.to_bytes(2, "big") + reason.encode()[:_MAX_REASON_BYTES])

    # As a pipe of the link

    def write(self, data: bytes) -> None:
        """Send bytes to the client, or queue them."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        """Close the client's socket after what was written."""
        if self._transport is not None:
            self._transport.close()

    # Backpressure

    def pause_writing(self) -> None:
        """Stop reading from the programs: the client does not read."""
        self._is_full = True
        self._read_programs(False)

    def resume_writing(self) -> None:
        """Read from the programs again."""
        self._is_full = False
        self._read_programs(True)

    def _read_programs(self, wanted: bool) -> None:
        for program in self._legs:
            program.read(wanted)
        if self._tunnel is not None:
            self._tunnel.read(wanted)

    def program_is_full_of(self, source: object, is_full: bool) -> None:
        """Stop reading from the client while a program does not read."""
        (self._full.add if is_full else self._full.discard)(source)
        self._pause(bool(self._full))

    def _pause(self, wanted: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(RuntimeError):  # uvloop: it is so already
                (self._transport.pause_reading if wanted else self._transport.resume_reading)()

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

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connections to the programs."""
        if self._deadline is not None:
            self._deadline.cancel()
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


def _make_key() -> bytes:
    return os.urandom(4)


class _LegEvents:
    """Passes a program's events to the link of its client."""

    __slots__ = ("_client", "_leg", "_program")

    def __init__(self, client: ClientSocket, program: ProgramSocket, leg: Leg) -> None:
        self._client, self._program, self._leg = client, program, leg

    def program_sent(self, data: bytes) -> None:
        """Pass bytes on."""
        link = self._client.link
        if link is not None:
            link.program_sent(self._leg, data, time.monotonic())

    def program_lost(self) -> None:
        """Pass the end on."""
        self._client.leg_lost(self._program, self._leg)

    def program_is_full(self, is_full: bool) -> None:
        """Stop or resume reading from the client."""
        self._client.program_is_full_of(self._program, is_full)


class _Tunnel:
    """Passes the bytes of an answer that opened no WebSocket."""

    def __init__(self, client: ClientSocket) -> None:
        self._client = client

    def program_sent(self, data: bytes) -> None:
        """Pass bytes on."""
        self._client.write(data)

    def program_lost(self) -> None:
        """End the client's socket."""
        self._client.end()

    def program_is_full(self, is_full: bool) -> None:
        """Stop or resume reading from the client."""
        self._client.program_is_full_of(self, is_full)
