"""What a running move empties: a whole colour, or one of its processes."""

from collections.abc import Hashable
from typing import Protocol

from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Failure
from isshoni.relay.doors import Address, Door
from isshoni.relay.relay import Relay
from isshoni.session.server.order import MigrationOrder


class Source(Protocol):
    """The clients of a colour or a process, and how they are moved away from it."""

    @property
    def door(self) -> Door:
        """Return how clients that cannot be moved are closed."""

    @property
    def is_paused(self) -> bool:
        """True while no move may begin."""

    def list_clients(self) -> list[ClientSocket]:
        """List its clients, oldest first."""

    def has(self, client: ClientSocket) -> bool:
        """True if a client is still here."""

    def arm(self, client: ClientSocket) -> None:
        """Begin to remember what a client is sent, as it will move soon."""

    def divert(self, order: MigrationOrder) -> None:
        """Send new clients where the order moves its sessions."""

    def restore(self) -> None:
        """Send new clients here again."""

    async def move(self, client: ClientSocket, to: str) -> Failure | None:
        """Move a client; return why not if it stays."""


class _OfRelay:
    def __init__(self, relay: Relay, colour: str) -> None:
        self._relay = relay
        self._colour = colour

    @property
    def door(self) -> Door:
        """Return how clients that cannot be moved are closed."""
        return self._relay.doors.of(self._colour)

    @property
    def is_paused(self) -> bool:
        """True while no move may begin."""
        return self._relay.moves_paused

    def arm(self, client: ClientSocket) -> None:
        """Begin to remember what a client is sent, as it will move soon."""
        self._relay.arm(client)


class ColourSource(_OfRelay):
    """All clients of a colour."""

    def list_clients(self) -> list[ClientSocket]:
        """List its clients, oldest first."""
        return self._relay.clients_of(self._colour)

    def has(self, client: ClientSocket) -> bool:
        """True if a client is still here."""
        return client.link is not None and client.link.colour == self._colour

    def divert(self, order: MigrationOrder) -> None:
        """Send new clients of the share to the programs that the order names."""
        self._relay.set_share(self._colour, order.to, order.share_pct)

    def restore(self) -> None:
        """Send new clients here again."""
        self._relay.clear_share(self._colour)

    async def move(self, client: ClientSocket, to: str) -> Failure | None:
        """Move a client to the other colour; return why not if it stays."""
        return await self._relay.move(client, to)


class ProcessSource(_OfRelay):
    """The clients of one process of a colour; they move to the others.

    Whether it gets new clients is in the file of the doors.
    """

    def __init__(self, relay: Relay, colour: str, number: int) -> None:
        super().__init__(relay, colour)
        self._number = number
        self.split: set[Hashable] = set()
        """Sessions whose rest follows what has moved of them: no order moves them elsewhere."""

    @property
    def address(self) -> Address | None:
        """Return where the process listens; None if the colour has fewer processes."""
        return self.door.find(self._number)

    def list_clients(self) -> list[ClientSocket]:
        """List its clients, oldest first."""
        address = self.address
        return [] if address is None else self._relay.clients_at(address)

    def has(self, client: ClientSocket) -> bool:
        """True if a client is still here."""
        return self._is_at(client) and client.key not in self.split

    def _is_at(self, client: ClientSocket) -> bool:
        return client.address is not None and client.address == self.address

    def list_split(self) -> list[ClientSocket]:
        """List the clients of sessions that another process has clients of, by session."""
        clients = self.list_clients()
        one_of_each = {client.key: client for client in clients}.values()
        split = {one.key for one in one_of_each if self._find_rest(one) is not None}
        return sorted((c for c in clients if c.key in split), key=lambda c: str(c.key))

    def _find_rest(self, client: ClientSocket) -> Address | None:
        rest = self._relay.find_rest(client)
        return None if rest in self.door.evacuated else rest

    def divert(self, order: MigrationOrder) -> None:
        """Change nothing."""

    def restore(self) -> None:
        """Change nothing."""

    async def move(self, client: ClientSocket, to: str) -> Failure | None:
        """Move a client to the process that is named, or to the best other one."""
        named = number_of(to)
        if named is None:
            listed = self._relay.list_addresses(self._colour, client)
        else:
            found = self.door.find(named)
            listed = [] if found is None else [found]
        own = self.address
        return await self._relay.move_within(client, [one for one in listed if one != own])

    async def move_to_rest(self, client: ClientSocket) -> Failure | None:
        """Move a client to where others of its session are; return why not if it stays."""
        rest = self._find_rest(client)
        if rest is None or not self._is_at(client):
            return Failure.CLOSING
        return await self._relay.move_within(client, [rest])


def number_of(process: str) -> int | None:
    """Return the number in the name of a process, such as `green-1`; None of a colour's name."""
    _, dash, number = process.partition("-")
    return int(number) if dash else None
