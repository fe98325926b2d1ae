"""The route of the private admin API that says which region may write."""

from typing import Annotated, Any, Protocol, Self

from fastapi import APIRouter, HTTPException
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.http.admin_routes import MigrateRequest
from isshoni.backend.region.region import Region, RegionRefused, WritesInFlight
from isshoni.session.region import RegionRecord, is_region_name


def _check_name(name: str) -> str:
    if not is_region_name(name):
        raise ValueError("no name of a region, like east")
    return name


RegionName = Annotated[str, AfterValidator(_check_name)]


class BackendMigrateRequest(MigrateRequest):
    """The body of `POST /admin/migrate`: with an address, `to` is a region."""

    to: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    address: Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+$")] | None = None

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if is_region_name(self.to) and self.address is None:
            raise ValueError(f"{self.to!r} is no colour, and a region needs its address")
        if not is_region_name(self.to) and self.address is not None:
            raise ValueError(f"{self.to!r} is a colour: only a region has an address")
        return self


class RegionRequest(BaseModel):
    """The body of `POST /admin/region`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    term: Annotated[int, Field(gt=0, lt=2**53)]
    writer: RegionName | None
    """The region that may write; None: no region (fenced)."""


class RegionAdmin(Protocol):
    """What the route needs."""

    @property
    def region(self) -> Region | None:
        """The region of this process; None without regions."""

    async def region_status(self) -> dict[str, Any] | None:
        """Return the state of the region."""


def add_region_routes(router: APIRouter, admin: RegionAdmin) -> None:
    """Add `POST /admin/region`."""

    @router.post("/region")
    async def set_region(request: RegionRequest) -> dict[str, Any] | None:
        if admin.region is None:
            raise HTTPException(409, "this process has no ISSHONI_REGION: it knows of no regions")
        try:
            await admin.region.set(RegionRecord(request.term, request.writer or ""))
        except RegionRefused as refusal:
            raise await _refuse(409, refusal, admin) from None
        except (WritesInFlight, StoreUnavailable) as fault:
            raise await _refuse(503, fault, admin) from None
        return await admin.region_status()


async def _refuse(status: int, fault: Exception, admin: RegionAdmin) -> HTTPException:
    return HTTPException(status, {"reason": str(fault), "region": await admin.region_status()})
