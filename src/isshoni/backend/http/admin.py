"""The private admin API of docs/admin-api.md."""

import os
import time
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import Field

from isshoni.backend.context import BackendContext
from isshoni.backend.health.health import Health
from isshoni.backend.http.admin_routes import create_admin_router, create_private_app
from isshoni.backend.http.region_admin import BackendMigrateRequest, add_region_routes
from isshoni.backend.live.migration import Migration
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.metrics.metrics import Metrics
from isshoni.backend.region.region import Region
from isshoni.backend.store.formats import describe_formats
from isshoni.backend.store.redis.requirements import judge_shortage
from isshoni.backend.store.redis.settings_watch import RedisSettingsWatch, WatchedServers
from isshoni.session.messages import PROTOCOL_VERSION
from isshoni.session.server.order import MigrationOrder

SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Admin:
    """Carries out the engine's requests."""

    def __init__(
        self,
        context: BackendContext,
        manager: WebSocketManager,
        health: Health,
        metrics: Metrics,
        servers: WatchedServers,
    ) -> None:
        self._watch = RedisSettingsWatch(servers, context.settings.redis_accept)
        self._context = context
        self._manager = manager
        self._health = health
        self._metrics = metrics
        self._migration: Migration | None = None
        self._started_at = time.monotonic()
        if context.region is not None:
            context.region.on_change.append(self._end_move_away)

    async def status(self) -> dict[str, Any]:
        """Return the state of this process."""
        readiness = await self._health.check()
        connections, sessions = self._metrics.connections()
        return {
            "version": self._context.settings.version,
            "colour": self._context.settings.colour,
            "process": self._context.settings.process or None,
            "protocol": PROTOCOL_VERSION,
            "formats": msgspec.structs.asdict(describe_formats(self._context.settings.vault)),
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started_at, 3),
            "state": self._find_state(),
            "auth": "required" if self._context.settings.auth_required else "guest",
            "ready": readiness.ready,
            "not_ready_reason": readiness.reason,
            "limit": readiness.limit,
            "shortage": readiness.shortage,
            "redis_findings": await self._list_findings(readiness.shortage),
            "connections": connections,
            "sessions": sessions,
            "counters": self._metrics.counters(),
            "gauges": self._metrics.gauges(),
            "histograms": {
                name: histogram.buckets() for name, histogram in self._metrics.histograms().items()
            },
            "migration": None if self._migration is None else self._migration.status(),
            "region": await self.region_status(),
        }

    def _find_state(self) -> str:
        if self._manager.draining:
            return "draining"
        region = self._context.region
        return "serving" if region is None else region.state

    async def region_status(self) -> dict[str, Any] | None:
        """Return the state of this process's region; None without regions."""
        region = self._context.region
        if region is None:
            return None
        return region.status(await self._health.find_standby_fault())

    @property
    def region(self) -> Region | None:
        """The region of this process; None without regions."""
        return self._context.region

    def migrate(self, order: MigrationOrder) -> None:
        """Start to migrate sessions away, or give the running migration a new order."""
        if self._migration is None:
            self._migration = Migration(self._manager, order, self._context.counters)
        else:
            self._migration.change_order(order)

    def cancel_migration(self) -> None:
        """Cancel the running migration: no more clients are asked to move."""
        if self._migration is not None:
            self._migration.cancel()
            self._migration = None

    def _end_move_away(self) -> None:
        """Cancel a move to another region once this one writes again."""
        region, migration = self._context.region, self._migration
        if region and region.state == "serving" and migration and migration.order.address:
            self.cancel_migration()

    def drain(self, draining: bool) -> None:
        """Refuse new connections, or accept them again."""
        self._manager.draining = draining

    async def prove(self, session_ids: list[str]) -> dict[str, Any]:
        """Rehearse a client session, and read real sessions: the given ones, or a sample."""
        proof = asdict(await self._health.prove(session_ids))
        readiness = await self._health.check()
        return {**proof, "redis_findings": await self._list_findings(readiness.shortage)}

    async def _list_findings(self, shortage: str | None) -> list[dict[str, Any]]:
        """List the findings about Redis; a shortage of replicas is one that may pass."""
        found = [*await self._watch.find(), *judge_shortage(shortage)]
        return [asdict(finding) for finding in found]


def create_admin_app(admin: Admin, registry: CollectorRegistry, token: str) -> FastAPI:
    """Make the private application."""
    app = create_private_app("Isshoni admin")
    router = create_admin_router(admin, token)

    @router.get("/proof")
    async def proof(session: Annotated[list[SessionId], Query()] = []) -> dict[str, Any]:  # noqa: B006
        return await admin.prove(session)

    @router.post("/migrate", status_code=202)
    async def migrate(request: BackendMigrateRequest) -> dict[str, Any]:
        admin.migrate(MigrationOrder(**request.model_dump()))
        return await admin.status()

    add_region_routes(router, admin)
    app.include_router(router)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    return app
