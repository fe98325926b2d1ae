"""The switch of the public name: a health check of Route 53 that measures nothing."""

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.region_outputs import GlobalOutputs
from isshoni.environments.aws.remembered import Remembered, changing

_LOOK_SECONDS = 2.0
"""Route 53 allows five calls a second to a whole account."""


class PublicSwitch:
    """Not inverted, users are sent to the first region; inverted, to the second."""

    def __init__(self, api: AwsApi, shared: GlobalOutputs) -> None:
        self._api = api
        self._id = shared.health_check_id
        self._regions = shared.regions
        self._seen = Remembered(self._look, _LOOK_SECONDS)

    async def find(self) -> str:
        """Return the region that new users are sent to; raises `AwsFault`."""
        return await self._seen.get()

    async def _look(self) -> str:
        answer = await self._api.call("route53", "get_health_check", HealthCheckId=self._id)
        inverted = answer["HealthCheck"]["HealthCheckConfig"].get("Inverted", False)
        return self._regions[1 if inverted else 0]

    async def turn(self, to: str) -> None:
        """Send new users to a region. Idempotent; raises `AwsFault`."""
        with changing(self._seen):
            await self._api.call(
                "route53",
                "update_health_check",
                HealthCheckId=self._id,
                Inverted=to == self._regions[1],
            )
