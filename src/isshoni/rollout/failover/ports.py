"""What a failover needs of the regions; the fake and the real ones pass one contract."""

from typing import Protocol

from isshoni.rollout.failover.actions import Action
from isshoni.rollout.failover.model import RegionSeen


class Regions(Protocol):
    """The two regions."""

    async def observe(self, region: str) -> RegionSeen:
        """Return what a region reports now; one that does not answer is a value."""

    async def find_switched(self) -> str | None:
        """Return the region that new users are sent to; None if that was never set."""

    async def perform(self, action: Action) -> None:
        """Do an action, with a timeout. Idempotent; raises `EnvironmentFault` if it failed."""
