"""The admin API for one process of a colour: its clients move to the other processes."""

from typing import Any

from isshoni.relay.migration import MoveOrder, RelayMigration
from isshoni.relay.reach import find_fault
from isshoni.relay.relay import Relay
from isshoni.relay.rest_of_sessions import RestOfSessions
from isshoni.relay.sources import ProcessSource


class ProcessAdmin:
    """Carries out the engine's requests for one process behind a door."""

    def __init__(self, relay: Relay, colour: str, number: int) -> None:
        self._relay = relay
        self._source = ProcessSource(relay, colour, number)
        self.migration: RelayMigration | None = None
        self._rest: RestOfSessions | None = None

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
        """Begin to move no more sessions; the rest of one that was begun still moves."""
        if self.migration is not None:
            cancelled, self.migration = self.migration, None
            cancelled.cancel()
            self._cancel_rest()
            self._rest = RestOfSessions(self._source, cancelled)

    def stop(self) -> None:
        """Move nothing any more: all clients of the colour are to go, or have gone."""
        if self.migration is not None:
            self.migration.cancel()
            self.migration = None
        self._cancel_rest()

    def _cancel_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
