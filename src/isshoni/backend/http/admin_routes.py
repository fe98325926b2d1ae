"""The routes of the private admin API that a backend and a relay share (docs/admin-api.md)."""

import hmac
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from isshoni.bad_requests import explain_bad_requests


class MigrateRequest(BaseModel):
    """The body of `POST /admin/migrate`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[str, Field(pattern=r"^(blue|green)(-\d{1,2})?$")]
    """A colour, or a process of one, like `green-1`."""
    rate_per_second: Annotated[float, Field(gt=0, le=100_000)]
    within_seconds: Annotated[float, Field(gt=0, le=3600)]
    share_pct: Annotated[float, Field(gt=0, le=100)] = 100.0


class AdminActions(Protocol):
    """What the engine may ask of a backend and of a relay."""

    async def status(self) -> dict[str, Any]:
        """Return the state."""

    def cancel_migration(self) -> None:
        """Begin no more moves."""

    def drain(self, draining: bool) -> None:
        """Report that no new connections are accepted, or are again."""


def create_private_app(title: str) -> FastAPI:
    """Make an application that publishes no documents of itself."""
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None)
    explain_bad_requests(app)
    return app


def create_admin_router(admin: AdminActions, token: str) -> APIRouter:
    """Make the shared routes; each of them, and each that is added, requires the token."""
    expected = f"Bearer {token}".encode()

    async def authorize(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), expected):
            raise HTTPException(401, "Authorization: Bearer <ISSHONI_ADMIN_TOKEN> is required")

    router = APIRouter(prefix="/admin", dependencies=[Depends(authorize)])

    @router.get("/status")
    async def status() -> dict[str, Any]:
        return await admin.status()

    @router.post("/migrate/cancel")
    async def cancel() -> dict[str, Any]:
        admin.cancel_migration()
        return await admin.status()

    @router.post("/drain")
    async def drain() -> dict[str, Any]:
        admin.drain(True)
        return await admin.status()

    @router.post("/undrain")
    async def undrain() -> dict[str, Any]:
        admin.drain(False)
        return await admin.status()

    return router
