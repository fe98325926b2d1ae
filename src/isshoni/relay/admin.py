"""The private admin API of docs/admin-api.md, for the clients of one colour of a relay."""

import os
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException
from pydantic import Field

from isshoni.backend.http.admin_routes import (
    MigrateRequest,
    create_admin_router,
    create_private_app,
)
from isshoni.backend.metrics.counters import Gauges
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.migration import MoveOrder, RelayMigration, make_order
from isshoni.relay.process_admin import ProcessAdmin
from isshoni.relay.relay import Relay
from isshoni.relay.sources import ColourSource, number_of
from isshoni.relay.upgrade.messages import AdminRecord


class RelayMigrateRequest(MigrateRequest):
    """The body of `POST /admin/migrate` for a relay."""

    close_over_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0


class RelayAdmin:
    """Carries out the engine's requests for one colour."""

    def __init__(self, relay: Relay, colour: str, gauges: Gauges) -> None:
        self._relay = relay
        self._colour = colour
        self._gauges = gauges
        self._migration: RelayMigration | None = None
        self._processes: dict[int, ProcessAdmin] = {}
        self._started_at = time.monotonic()
        self._draining = False
        self._release = relay.doors.of(colour).release

    async def status(self) -> dict[str, Any]:
        """Return the state of the colour: its clients, whichever door they came by."""
        self._forget_earlier_release()
        fault = await self._relay.find_fault(self._colour)
        clients = self._relay.clients_of(self._colour)
        return {
            "version": "",
            "colour": self._colour,
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started_at, 3),
            "state": "draining" if self._draining else "serving",
            "ready": fault is None and not self._draining,
            "not_ready_reason": fault,
            "connections": len(clients),
            "sessions": len({client.key for client in clients}),
            "counters": self._relay.count(self._colour).by_name(),
            "gauges": self._read_gauges(),
            "migration": None if self._migration is None else self._migration.status(),
        }

    def find_process(self, name: str) -> ProcessAdmin | None:
        """Return the process that `green-1` names; None if the colour has no such process."""
        self._forget_earlier_release()
        number = number_of(name)
        if number is None or name != f"{self._colour}-{number}":
            return None
        found = self._processes.get(number) or ProcessAdmin(self._relay, self._colour, number)
        if not found.exists:
            return None
        return self._processes.setdefault(number, found)

    def _read_gauges(self) -> dict[str, float]:
        gauges = self._gauges
        return {
            "event_loop_lag_ms": gauges.event_loop_lag_seconds.worst * 1000,
            "restore_ms": self._relay.dial_seconds.percentile(99) * 1000,
            "cpu_pct": gauges.cpu_pct,
        }

    def migrate(self, order: MoveOrder) -> None:
        """Begin to move the clients of this colour, or change the order."""
        self._forget_earlier_release()
        self._cancel_processes()  # all of them are to be emptied
        if self._migration is None:
            self._migration = RelayMigration(ColourSource(self._relay, self._colour), order)
        else:
            self._migration.change_order(order)

    def cancel_migration(self) -> None:
        """Begin no more moves."""
        if self._migration is not None:
            self._migration.cancel()
            self._migration = None

    def _cancel_processes(self) -> None:
        for process in self._processes.values():
            process.stop()
        self._processes.clear()

    def _forget_earlier_release(self) -> None:
        """Cancel what was ordered for the release that was behind this door before."""
        release = self._relay.doors.of(self._colour).release
        if release != self._release:
            self._release = release
            self._draining = False
            self.cancel_migration()
            self._cancel_processes()

    def drain(self, draining: bool) -> None:
        """Report that the colour is not ready, or is again."""
        self._draining = draining

    # Another process continues

    def record(self) -> AdminRecord:
        """Return what was ordered, and how far it is."""
        move = None if self._migration is None else self._migration.record()
        within = {
            f"{self._colour}-{number}": process.migration.record()
            for number, process in self._processes.items()
            if process.migration is not None
        }
        return AdminRecord(self._started_at, self._release, self._draining, move, within)

    def record_attempt(self, client: ClientSocket) -> tuple[float, int] | None:
        """Return until when a running move tries a client, and how often it did."""
        moves = [self._migration, *(process.migration for process in self._processes.values())]
        found = [move.record_attempt(client) for move in moves if move is not None]
        return next((attempt for attempt in found if attempt is not None), None)

    def restore_share(self, record: AdminRecord) -> None:
        """Send new clients to the programs that the earlier process's order names."""
        if record.move is not None and record.release == self._release:
            order = make_order(record.move)
            self._relay.set_share(self._colour, order.to, order.share_pct)

    def restore(
        self, record: AdminRecord, attempts: Mapping[ClientSocket, tuple[float, int]]
    ) -> None:
        """Continue with what was ordered from the process before."""
        self._started_at = record.started_at
        if record.release != self._release:
            return
        self._draining = record.draining
        if record.move is not None:
            self.migrate(make_order(record.move))
            assert self._migration is not None
            self._migration.restore(record.move, attempts)
        for name, move in record.within.items():
            process = self.find_process(name)
            if process is not None:
                process.migrate(make_order(move))
                assert process.migration is not None
                process.migration.restore(move, attempts)


def create_relay_admin_app(admin: RelayAdmin, token: str) -> FastAPI:
    """Make the private application of one colour."""
    app = create_private_app("Isshoni relay admin")
    router = create_admin_router(admin, token)

    @router.post("/migrate", status_code=202)
    async def migrate(request: RelayMigrateRequest) -> dict[str, Any]:
        admin.migrate(_make_order(request))
        return await admin.status()

    _add_processes(router, admin)
    app.include_router(router)
    return app


def _make_order(request: RelayMigrateRequest) -> MoveOrder:
    return MoveOrder(**request.model_dump(), ordered_at=time.monotonic())


def _add_processes(router: APIRouter, admin: RelayAdmin) -> None:
    """Add the routes of the processes of the colour one by one."""

    def find(name: str) -> ProcessAdmin:
        found = admin.find_process(name)
        if found is None:
            raise HTTPException(404, f"there is no process {name[:20]!r} behind this door")
        return found

    async def describe(process: ProcessAdmin) -> dict[str, Any]:
        return {**await admin.status(), **await process.describe()}

    @router.get("/processes/{name}/status")
    async def status(name: str) -> dict[str, Any]:
        return await describe(find(name))

    @router.post("/processes/{name}/migrate", status_code=202)
    async def migrate(name: str, request: RelayMigrateRequest) -> dict[str, Any]:
        process = find(name)
        process.migrate(_make_order(request))
        return await describe(process)

    @router.post("/processes/{name}/migrate/cancel")
    async def cancel(name: str) -> dict[str, Any]:
        process = find(name)
        process.cancel_migration()
        return await describe(process)
