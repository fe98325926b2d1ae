"""The admin API for one process of a colour: its clients move to the other processes."""

from typing import Any

from isshoni.relay.migration import MoveOrder, RelayMigration
from isshoni.relay.relay import Relay, find_fault
from isshoni.relay.sources import ProcessSource


class ProcessAdmin:
    """Carries out the engine's requests for one process behind a door."""

    def __init__(self, relay: Relay, colour: str, number: int) -> None:
        self._relay = relay
        self._source = ProcessSource(relay, colour, number)
        self.migration: RelayMigration | None = None

    @property
    def exists(self) -> bool:
        """True if the colour has this process."""
        return self._source.address is not None

    async def describe(self) -> dict[str, Any]:
        """Return what of the status is the process's own."""
        address = self._source.address
        fault = "there is no such process" if address is None else await find_fault(address)
        clients = self._source.list_clients()
        return {
            "ready": fault is None,
            "not_ready_reason": fault,
            "connections": len(clients),
            "sessions": len({client.key for client in clients}),
            "migration": None if self.migration is None else self.migration.status(),
        }

    def migrate(self, order: MoveOrder) -> None:
        """Begin to move its clients, or change the order."""
        if self.migration is None:
            self.migration = RelayMigration(self._source, order)
        else:
            self.migration.change_order(order)

    def cancel_migration(self) -> None:
        """Begin no more moves."""
        if self.migration is not None:
            self.migration.cancel()
            self.migration = None
