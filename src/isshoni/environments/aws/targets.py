"""The target group of each slot: read the balancer's health checks, deregister targets."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.rollout.model import COLOURS, Colour

_DELAY = "deregistration_delay.timeout_seconds"
_DEFAULT_DELAY_SECONDS = 300.0
_LEAVING = ("draining", "unused")


@dataclass(frozen=True)
class Target:
    """One registered target."""

    id: str
    state: str
    """initial, healthy, unhealthy, draining, unused or unavailable."""
    why: str = ""


class Targets:
    """Reads the health of targets, and deregisters them."""

    def __init__(self, api: AwsApi, outputs: Outputs, look_seconds: float) -> None:
        self._api = api
        self._arns = outputs.target_group_arns
        self._seen = Remembered(self._look, look_seconds)

    async def observe(self) -> Mapping[Colour, tuple[Target, ...]]:
        """Return the targets of each slot."""
        return await self._seen.get()

    async def _look(self) -> Mapping[Colour, tuple[Target, ...]]:
        blue, green = await asyncio.gather(*(self._read(colour) for colour in COLOURS))
        return {"blue": blue, "green": green}

    async def _read(self, colour: Colour) -> tuple[Target, ...]:
        answer = await self._api.call(
            "elbv2", "describe_target_health", TargetGroupArn=self._arns.of(colour)
        )
        return tuple(
            Target(
                described["Target"]["Id"],
                described["TargetHealth"]["State"],
                described["TargetHealth"].get("Description", ""),
            )
            for described in answer["TargetHealthDescriptions"]
        )

    def forget(self) -> None:
        """Discard the remembered targets: the next observation reads again."""
        self._seen.forget()

    async def deregister(self, colour: Colour) -> None:
        """Stop new connections to a slot; open ones are kept for the deregistration delay."""
        registered = [t for t in await self._read(colour) if t.state not in _LEAVING]
        if registered:
            with changing(self):
                await self._api.call(
                    "elbv2",
                    "deregister_targets",
                    TargetGroupArn=self._arns.of(colour),
                    Targets=[{"Id": target.id} for target in registered],
                )

    async def read_delay_seconds(self, colour: Colour) -> float:
        """Return the seconds for which connections to a deregistered target are kept."""
        answer = await self._api.call(
            "elbv2", "describe_target_group_attributes", TargetGroupArn=self._arns.of(colour)
        )
        attributes = {a["Key"]: a["Value"] for a in answer["Attributes"]}
        return float(attributes.get(_DELAY, _DEFAULT_DELAY_SECONDS))


def are_healthy(targets: tuple[Target, ...], wanted: int) -> bool:
    """True if a slot has as many healthy targets as it should, and no unhealthy one.

    Draining targets, which are being removed, and new ones, of a scale-out, do not count.
    """
    states = [t.state for t in targets if t.state not in (*_LEAVING, "initial")]
    return len(states) >= wanted > 0 and all(state == "healthy" for state in states)
