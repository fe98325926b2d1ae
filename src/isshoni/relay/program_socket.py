"""The socket between the relay and a program."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from isshoni.relay.core.handshake import END, MAX_HEAD_BYTES, Answer, Handshake, read_answer
from isshoni.relay.stream import Parked, Stream, continue_socket
from isshoni.relay.transports import (
    ANSWER_SECONDS,
    SmallReads,
    close,
    finish,
    has_peer_closed,
    keep_alive,
    read,
    write,
)


class ProgramEvents(Protocol):
    """What a program's socket reports."""

    def program_sent(self, data: bytes) -> None:
        """Handle bytes after the answer to the handshake."""

    def program_finished(self) -> None:
        """Handle that the program sends no more, though it may still read."""

    def program_lost(self) -> None:
        """Handle the end of the socket."""

    def program_is_full(self, is_full: bool) -> None:
        """Handle that the program does not read, or reads again."""


class ProgramSocket(SmallReads):
    """A connection to a program: it replays a handshake, then passes bytes."""

    def __init__(self, request: Handshake) -> None:
        self._request = request
        self._head = bytearray()
        self._transport: Stream | None = None
        self._unsent = b""
        """Of a socket that another process has served: what the program must get first."""
        self._events: ProgramEvents | None = None
        self._early: list[bytes] = []
        self._ended = False
        self._is_full = False
        self._has_finished = False
        """True once the program sends no more."""
        self._is_finished = False
        """True once the program was let know that no more comes."""
        self.address: tuple[str, int] | None = None
        """Where the program listens; None before the connection."""
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        """The answer to the handshake; `OSError` if there is none."""
        self.answered.add_done_callback(asyncio.Future.exception)  # else it is logged if not read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake, or what was not sent of a connection that continues."""
        is_continued = self.answered.done()
        self._transport = Stream(transport, self._unsent if is_continued else self._request.request)
        self._unsent = b""
        peer = transport.get_extra_info("peername")
        self.address = tuple(peer[:2]) if peer else None
        keep_alive(transport)

    def listen(self, events: ProgramEvents) -> None:
        """Report from now on, beginning with what has come already."""
        self._events = events
        early, self._early = self._early, []
        for data in early:
            events.program_sent(data)
        if self._is_full:
            events.program_is_full(True)
        if self._has_finished and not self._ended:
            events.program_finished()
        if self._ended:
            events.program_lost()

    def data_received(self, data: bytes) -> None:
        """Read the answer, then pass bytes on."""
        if self._events is not None:
            self._events.program_sent(data)
        elif self.answered.done():
            self._early.append(data)
        else:
            self._read_head(data)

    def _read_head(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(END)
        if end < 0:
            if len(self._head) > MAX_HEAD_BYTES:
                self._refuse("its answer has no end")
            return
        head, rest = bytes(self._head[: end + len(END)]), bytes(self._head[end + len(END) :])
        self._head.clear()
        try:
            answer = read_answer(head)
        except ValueError as fault:
            self._refuse(str(fault))
            return
        if answer.is_interim and self._request.is_upgrade:
            if rest:
                self._read_head(rest)
            return
        if rest:
            self._early.append(rest)
        self.answered.set_result(answer)

    def _refuse(self, reason: str) -> None:
        self.answered.set_exception(OSError(reason))
        self.abort()

    def eof_received(self) -> bool:
        """Report that no more comes; False, which closes the socket, before the answer."""
        self._has_finished = True
        if self._events is not None:
            self._events.program_finished()
        return self.answered.done()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end, unless the socket was parked."""
        if self._transport is not None and self._transport.end():
            return
        self._ended = True
        if not self.answered.done():
            self.answered.set_exception(OSError("it closed the connection without an answer"))
        if self._events is not None:
            self._events.program_lost()

    def pause_writing(self) -> None:
        """Report that the program does not read."""
        self._is_full = True
        if self._events is not None:
            self._events.program_is_full(True)

    def resume_writing(self) -> None:
        """Report that the program reads again."""
        self._is_full = False
        if self._transport is not None:
            self._transport.forget_sent()
        if self._events is not None:
            self._events.program_is_full(False)

    # As a pipe of a link

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them."""
        if data and self._transport is not None and not self._is_finished:
            write(self._transport, data)

    def finish(self) -> None:
        """Let the program know, after what was written, that no more comes."""
        if not self._is_finished:
            self._is_finished = True
            finish(self._transport)

    def end(self) -> None:
        """Close the socket after what was written."""
        close(self._transport)

    def abort(self) -> None:
        """Close the socket now."""
        if self._transport is not None:
            self._transport.abort()

    def read(self, wanted: bool) -> None:
        """Read from the socket, or not."""
        if self._transport is not None and not self._has_finished:
            read(self._transport, wanted)

    @property
    def has_closed(self) -> bool:
        """True if the program sends no more, also while that is not read yet."""
        return self._transport is None or has_peer_closed(self._transport)

    # Another process continues

    @classmethod
    def answered_before(cls, subprotocol: str | None) -> "ProgramSocket":
        """Return the socket of a connection that another process has opened."""
        made = cls(Handshake(b"", "/", is_upgrade=True))
        made.answered.set_result(Answer(b"", 101, subprotocol))
        return made

    @property
    def subprotocol(self) -> str | None:
        """Return what the program has chosen; it must have answered."""
        return self.answered.result().subprotocol

    @property
    def can_be_parked(self) -> bool:
        """True if the connection is open in both directions, and its handshake was answered."""
        is_whole = not (self._has_finished or self._is_finished) and self.answered.done()
        return is_whole and self._transport is not None and not self._transport.is_closing()

    def park(self) -> "asyncio.Future[Parked]":
        """Free the socket from this process without ending the connection; report no more."""
        assert self._transport is not None
        self._events = None
        return self._transport.park()

    async def continue_with(self, parked: Parked) -> None:
        """Serve a parked connection; what comes is kept until `listen`."""
        self._is_full, self._unsent = False, parked.unsent
        await continue_socket(self, parked.descriptor)


async def dial(
    address: tuple[str, int], request: Handshake, timeout_seconds: float
) -> ProgramSocket:
    """Return a socket whose handshake was answered; raises `OSError`, also after the timeout."""
    loop = asyncio.get_running_loop()
    made: ProgramSocket | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            _, made = await loop.create_connection(lambda: ProgramSocket(request), *address)
            await asyncio.shield(made.answered)
        return made
    except TimeoutError:
        if made is not None:
            made.abort()
        raise OSError(f"it did not answer within {timeout_seconds:g} s") from None
    except OSError:
        if made is not None:
            made.abort()
        raise


def _count_nothing(colour: str, status: int | None) -> None: ...


async def dial_first(
    choices: Sequence[tuple[str, tuple[str, int]]],
    handshake: Handshake,
    answered: Callable[[str, int | None], None] = _count_nothing,
) -> tuple[ProgramSocket, str] | str:
    """Dial the first program that answers, and not with an error of its own; the last error counts.

    Returns why none can be reached if so. `answered` gets the colour and status of each answer.
    """
    reason = ""
    for number, (colour, address) in enumerate(choices, 1):
        try:
            program = await dial(address, handshake, ANSWER_SECONDS)
        except OSError as fault:
            reason = f"{colour} cannot be reached: {fault}"
            answered(colour, None)
            continue
        answer = program.answered.result()
        answered(colour, answer.status)
        if not answer.is_server_error or number == len(choices):
            return program, colour
        program.abort()
    return reason
