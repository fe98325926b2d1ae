"""The new relay's part of an upgrade: it takes everything over, and serves it."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Protocol

from isshoni import __version__
from isshoni.backend.log import log_event
from isshoni.errors import ExitCode, IsshoniError
from isshoni.relay.core import saved
from isshoni.relay.passable_client import PassableClient
from isshoni.relay.relay import Relay
from isshoni.relay.stream import Parked
from isshoni.relay.upgrade import messages
from isshoni.relay.upgrade.clients import continue_client, load_client
from isshoni.relay.upgrade.line import Line, LineBroken, LineDamaged, Token, close_all
from isshoni.relay.upgrade.messages import (
    Clients,
    Doors,
    Finished,
    Hello,
    Readable,
    Refused,
    Rehearsal,
    RelayRecord,
    Serve,
    Taken,
    Welcome,
)

MESSAGE_SECONDS = 60.0
"""For the serving relay's next message; it waits for moves to end, not longer than 10 s."""

Listeners = Mapping[str, tuple[socket.socket, socket.socket]]
"""Of each colour: its door and its admin port."""


class CannotTakeOver(IsshoniError):
    """This process must end: the serving relay goes on."""

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, reason: str) -> None:
        super().__init__(f"the relay that serves goes on: {reason}")


class Receiver(Protocol):
    """What the process does with what it takes over."""

    async def open_doors(self, listeners: Listeners, record: RelayRecord) -> None:
        """Accept clients."""

    def restore_attempt(self, client: PassableClient, deadline: float, tries: int) -> None:
        """Store until when a running move tries a client, and how often it did."""


class Taking:
    """One upgrade from another process."""

    def __init__(self, relay: Relay, line: Line, receiver: Receiver) -> None:
        self._relay = relay
        self._line = line
        self._receiver = receiver
        self._batch: Token | None = None
        self._whole: Token | None = None
        self._taken = 0
        self._is_relay = False

    async def take(self) -> bool:
        """Return once this process is the relay; False if the one before has ended at once.

        Raises `CannotTakeOver`.
        """
        hello = Hello([messages.VERSION], [saved.VERSION], release=__version__)
        try:
            await self._line.send(hello)
            while not await self._take_next():
                pass
        except (LineBroken, TimeoutError) as fault:
            if self._whole is None:
                self._close()
                return False
            # After damage the one before has not ended: it has to learn that this one gives up.
            if isinstance(fault, LineDamaged) or not self._claim_whole():
                self._close()
                raise CannotTakeOver(str(fault) or "it did not continue the upgrade") from None
            log_event("relay_before_ended", reason=str(fault), clients=self._taken)
        log_event("relay_taken_over", clients=self._taken)
        return True

    def _claim_whole(self) -> bool:
        """Become the relay; False if the one before serves again."""
        self._is_relay = self._is_relay or (self._whole is not None and self._whole.claim())
        return self._is_relay

    def _close(self) -> None:
        self._line.close()
        for token in filter(None, (self._batch, self._whole)):
            token.close()

    async def take_late_ones(self) -> None:
        """Serve what the relay before could not pass on at once, until it has ended."""
        try:
            while not await self._take_next():
                pass
        except (LineBroken, TimeoutError, CannotTakeOver) as fault:
            log_event("relay_before_ended", reason=str(fault))
        self._close()

    async def _take_next(self) -> bool:
        """Handle one message; True if it is the last one of its part."""
        async with asyncio.timeout(MESSAGE_SECONDS):
            message, descriptors = await self._line.receive()
        match message:
            case Welcome():
                self._batch, self._whole = map(Token, descriptors)
                return False
            case Rehearsal():
                await self._load(message.clients)
                await self._line.send(Readable())
                return False
            case Doors():
                await self._receiver.open_doors(_pair(message, descriptors), message.relay)
            case Clients():
                await self._take_clients(message, descriptors)
            case Serve():
                if not self._claim_whole():
                    raise CannotTakeOver("it did not wait any longer")
            case Finished():
                pass
            case Refused():
                raise CannotTakeOver(message.reason)
            case _:
                close_all(descriptors)
                await self._refuse(f"{type(message).__name__} is no message for a new relay")
        await self._line.send(Taken())
        return isinstance(message, Serve | Finished)

    async def _load(self, records: list[messages.ClientRecord]) -> list[PassableClient]:
        try:
            return [load_client(self._relay, record) for record in records]
        except saved.CannotLoad as fault:
            await self._refuse(str(fault))
            raise  # not reached

    async def _take_clients(self, message: Clients, descriptors: list[int]) -> None:
        try:
            clients = await self._load(message.clients)
            if self._batch is None or not self._batch.claim():
                raise CannotTakeOver("it did not wait any longer")
        except BaseException:
            close_all(descriptors)
            raise
        # From here on they are this process's, and of no other.
        left = iter(descriptors)
        works = []
        for client, record in zip(clients, message.clients, strict=True):
            self._receiver.restore_attempt(client, record.deadline, record.tries)
            sockets = [Parked(next(left), unsent) for unsent in record.unsent]
            works.append(continue_client(self._relay, client, sockets))
        await asyncio.gather(*works)
        self._taken += len(clients)

    async def _refuse(self, reason: str) -> None:
        await self._line.send(Refused(reason))
        raise CannotTakeOver(reason)


def _pair(message: Doors, descriptors: list[int]) -> Listeners:
    listeners = {}
    for number, colour in enumerate(message.colours):
        pair = [socket.socket(fileno=one) for one in descriptors[2 * number : 2 * number + 2]]
        for one in pair:
            one.setblocking(False)
        listeners[colour] = (pair[0], pair[1])
    return listeners
