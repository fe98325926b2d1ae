"""The serving relay's part of an upgrade: it passes everything on, and serves what was not taken.

What was sent belongs to whichever process claims its token. So nothing is served twice, and a
new relay that ends in the middle costs only the clients that it had taken.
"""

import asyncio
import contextlib
import os
from typing import Protocol, TypeVar

from isshoni import __version__
from isshoni.backend.log import log_event
from isshoni.relay.core import saved
from isshoni.relay.core.moves import Failure
from isshoni.relay.passable_client import PassableClient
from isshoni.relay.relay import Relay
from isshoni.relay.upgrade import messages
from isshoni.relay.upgrade.clients import Passing, record_client
from isshoni.relay.upgrade.line import Line, LineBroken, OfferedToken, close_all
from isshoni.relay.upgrade.messages import (
    ClientRecord,
    Clients,
    Doors,
    Finished,
    Hello,
    Message,
    Readable,
    Refused,
    Rehearsal,
    RelayRecord,
    Serve,
    Taken,
    Welcome,
)

BATCH = 32
"""Clients that are passed on together, and wait for each other."""
ANSWER_SECONDS = 10.0
"""For the new relay to answer a message."""
MOVES_SECONDS = 3.0
"""For moves to reach their switch; then they fail, and are tried again by the new relay."""
MERGES_SECONDS = 6.0
"""For the programs before to close, after a switch."""
LATE_SECONDS = 31.0
"""For handshakes and closes to end: a little longer than their own limits."""
_TURN_SECONDS = 0.02


Kind = TypeVar("Kind", bound=Message)


class Controls(Protocol):
    """What the process does for an upgrade of its relay."""

    async def stop_listening(self) -> None:
        """Accept no more connections, at no port; they wait, and are not refused."""

    async def listen(self) -> None:
        """Accept connections again."""

    def listeners(self) -> list[tuple[str, int, int]]:
        """Return each colour with the descriptors of its door and its admin port."""

    def record(self) -> RelayRecord:
        """Return what belongs to no client."""

    def record_attempt(self, client: PassableClient) -> tuple[float, int]:
        """Return until when a running move tries a client, and how often it did; or zeros."""


class _Stopped(Exception):
    """The upgrade cannot go on; this relay serves what was not taken."""


class Giving:
    """One upgrade to another process."""

    def __init__(self, relay: Relay, line: Line, controls: Controls) -> None:
        self._relay = relay
        self._line = line
        self._controls = controls
        self._batch, self._whole = OfferedToken(), OfferedToken()
        self._release = ""
        self._passed = self._lost = 0
        self._has_stopped = False

    async def give(self) -> bool:
        """Pass everything on; False if this process is still the relay."""
        self._whole.offer()  # first: with no message sent yet, this process claims it itself
        try:
            await self._begin()
            await self._pass_relay()
        except (LineBroken, TimeoutError, _Stopped) as fault:
            reason = str(fault) or f"no answer within {ANSWER_SECONDS:g} s"
            if self._whole.claim():
                await self._go_on(reason)
                return False
            log_event("relay_upgrade_interrupted", reason=reason)
        await self._pass_late_ones()
        self._close()
        return True

    async def _begin(self) -> None:
        hello = await self._receive(Hello)
        if messages.VERSION not in hello.versions or saved.VERSION not in hello.state_versions:
            raise _Stopped(
                f"isshoni {__version__} writes version {messages.VERSION} of the messages and "
                f"{saved.VERSION} of the states; isshoni {hello.release} reads "
                f"{hello.versions} and {hello.state_versions}"
            )
        self._release = hello.release
        tokens = (self._batch.descriptor, self._whole.descriptor)
        await self._line.send(Welcome(release=__version__), tokens)

    async def _pass_relay(self) -> None:
        self._relay.moves_paused = True
        await self._finish_moves()
        await self._rehearse()
        self._has_stopped = True
        await self._controls.stop_listening()
        await self._pass_doors()
        while clients := self._parkable():
            await self._pass(clients)
        await self._ask(Serve(), Taken)
        log_event("relay_passed_on", clients=self._passed, release=self._release)

    async def _finish_moves(self) -> None:
        """Wait until no client moves; end the moves that take too long before their switch."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while moving := [c for c in self._relay.sockets() if c.link and c.link.is_moving]:
            waited = loop.time() - began
            if waited > MOVES_SECONDS + MERGES_SECONDS:
                return
            if waited > MOVES_SECONDS:
                for client in moving:
                    client.fail_move(Failure.UPGRADE)
            await asyncio.sleep(_TURN_SECONDS)

    async def _rehearse(self) -> None:
        """Let the new relay read all states, before anything changes."""
        clients = self._parkable(most=None)
        for start in range(0, len(clients), BATCH):
            await self._ask(Rehearsal(self._record(clients[start : start + BATCH])), Readable)

    def _record(self, clients: list[PassableClient]) -> list[ClientRecord]:
        try:
            records = [record_client(self._relay, client) for client in clients]
        except saved.CannotSave as fault:
            raise _Stopped(f"a client's state cannot be saved: {fault}") from fault
        for client, record in zip(clients, records, strict=True):
            record.deadline, record.tries = self._controls.record_attempt(client)
        return records

    def _check_descriptors(self, count: int) -> None:
        """Raise `_Stopped` if so many more files cannot be opened, before a socket is parked."""
        opened = []
        try:
            for _ in range(count):
                opened.append(os.dup(self._batch.descriptor))
        except OSError as fault:
            raise _Stopped(f"{count} more files cannot be opened ({fault.strerror})") from fault
        finally:
            close_all(opened)

    async def _pass_doors(self) -> None:
        listeners = self._controls.listeners()
        descriptors = [one for _, *pair in listeners for one in pair]
        message = Doors([colour for colour, *_ in listeners], self._controls.record())
        await self._ask(message, Taken, descriptors)

    def _parkable(self, most: int | None = BATCH) -> list[PassableClient]:
        return [client for client in self._relay.sockets() if client.can_be_parked][:most]

    async def _pass(self, clients: list[PassableClient]) -> None:
        """Pass on some clients; those that the new relay did not claim are served again."""
        self._check_descriptors(2 * len(clients))
        records = self._record(clients)
        # From here to the first `await` nothing changes in the clients.
        passing = [
            Passing.begin(self._relay, client, record)
            for client, record in zip(clients, records, strict=True)
        ]
        await asyncio.gather(*(one.complete() for one in passing))
        descriptors = [parked.descriptor for one in passing for parked in one.sockets]
        self._batch.offer()
        try:
            await self._ask(Clients([one.record for one in passing]), Taken, descriptors)
        except (LineBroken, TimeoutError, _Stopped):
            if self._batch.claim():
                await asyncio.gather(*(one.undo(self._relay) for one in passing))
                raise
            self._lost += len(passing)
            self._close_all(passing)
            raise
        self._passed += len(passing)
        self._close_all(passing)

    def _close_all(self, passing: list[Passing]) -> None:
        for one in passing:
            one.close()

    async def _pass_late_ones(self) -> None:
        """Pass on the clients whose handshake or close was under way, as they become ready."""
        turns = int(LATE_SECONDS / _TURN_SECONDS)
        can_pass = True
        while self._relay.sockets() and turns:
            turns -= 1
            clients = self._parkable() if can_pass else []
            try:
                if clients:
                    await self._pass(clients)
            except (LineBroken, TimeoutError, _Stopped) as fault:
                can_pass = False
                log_event("relay_upgrade_interrupted", reason=str(fault))
            await asyncio.sleep(_TURN_SECONDS)
        if left := self._relay.sockets():
            log_event("relay_cut_clients", clients=len(left))
        with contextlib.suppress(LineBroken, TimeoutError, _Stopped):
            await self._ask(Finished(), Taken)

    async def _go_on(self, reason: str) -> None:
        """Serve as before."""
        log_event("relay_upgrade_failed", reason=reason, passed=self._passed, lost=self._lost)
        with contextlib.suppress(LineBroken, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._line.send(Refused(reason))
        self._close()
        self._relay.moves_paused = False
        if self._has_stopped:
            await self._controls.listen()

    def _close(self) -> None:
        self._line.close()
        self._batch.close()
        self._whole.close()

    # Messages

    async def _receive(self, kind: type[Kind]) -> Kind:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer, _ = await self._line.receive()
        if isinstance(answer, Refused):
            raise _Stopped(f"the new relay refused: {answer.reason}")
        if not isinstance(answer, kind):
            raise _Stopped(f"the new relay answered with {type(answer).__name__}")
        return answer

    async def _ask(
        self, message: Message, answer: type[Message], descriptors: list[int] | None = None
    ) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._line.send(message, descriptors or [])
        await self._receive(answer)
