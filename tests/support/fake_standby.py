"""The ports of a simulated region that stands by: its balancer lets no user in."""

from collections.abc import Mapping
from dataclasses import replace

from isshoni.rollout.model import COLOURS, BackendStatus, Colour
from tests.support.fake_environment import FakePorts, World


class FakeStandbyPorts(FakePorts):
    """Traffic, Compute and Backends of a standby; its backends are ready only as that."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.serves = False
        """True: it believes that it serves, as an old primary does."""
        self.before_regions: set[str] = set()
        """Labels of releases that know nothing of regions."""

    async def observe_health(self) -> Mapping[Colour, bool]:
        await self._call("observe_health")
        return {c: self.serves and self.world.passes_check(c) for c in COLOURS}

    async def status(self, colour: Colour) -> BackendStatus | None:
        status = await super().status(colour)
        if status is None or self.serves:
            return status and replace(status, standby_ready=False, standby_reason="it serves")
        if status.version in self.before_regions:
            return replace(status, ready=False, not_ready_reason="Redis: READONLY")
        return replace(
            status,
            ready=False,
            not_ready_reason="standby",
            standby_ready=status.ready,
            standby_reason=None if status.ready else "Redis has lost the link to its primary",
        )
