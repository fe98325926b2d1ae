"""The port `Traffic` with an Application Load Balancer: one listener, two target groups."""

import asyncio
from collections.abc import Mapping
from typing import Any

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.balancer_counters import BalancerCounters
from isshoni.environments.aws.groups import Groups
from isshoni.environments.aws.listener_rules import check_target_rules
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.environments.aws.targets import Targets, are_healthy
from isshoni.rollout.model import COLOURS, Colour, TrafficSample, Weights


class AlbTraffic:
    """Sets the weights of the listener; reads the health of targets and the counters."""

    def __init__(
        self,
        api: AwsApi,
        outputs: Outputs,
        *,
        groups: Groups,
        targets: Targets,
        backends: InstanceBackends,
        counters: BalancerCounters,
        look_seconds: float,
    ) -> None:
        self._api = api
        self._outputs = outputs
        self._groups = groups
        self._targets = targets
        self._backends = backends
        self._counters = counters
        self._weights = Remembered(self._read_weights, look_seconds)

    async def apply_weights(self, weights: Weights) -> None:
        """Replace the listener's default action; the ALB applies it within about a second."""
        arns = self._outputs.target_group_arns
        shares = [{"TargetGroupArn": arns.of(c), "Weight": weights.of(c)} for c in COLOURS]
        forward = {
            "TargetGroups": shares,
            # Its cookie would send a reconnecting client to the slot that it has just left.
            "TargetGroupStickinessConfig": {"Enabled": False},
        }
        with changing(self._weights):
            await self._api.call(
                "elbv2",
                "modify_listener",
                ListenerArn=self._outputs.listener_arn,
                DefaultActions=[{"Type": "forward", "ForwardConfig": forward}],
            )

    async def verify_weights(self) -> Weights | None:
        """Return the listener's weights; None if its action is not from `apply_weights`."""
        return await self._weights.get()

    async def _read_weights(self) -> Weights | None:
        answer = await self._api.call(
            "elbv2", "describe_listeners", ListenerArns=[self._outputs.listener_arn]
        )
        return weights_in(answer["Listeners"][0]["DefaultActions"], self._outputs)

    async def observe_health(self) -> Mapping[Colour, bool]:
        """Return for each slot whether all its instances are healthy targets.

        This is the balancer's view. Whether the backends are ready is asked of them.
        """
        targets, groups = await asyncio.gather(self._targets.observe(), self._groups.observe())
        return {c: are_healthy(targets[c], groups[c].wanted) for c in COLOURS}

    async def observe_serving(self) -> Mapping[Colour, bool]:
        """Return for each slot whether the balancer sends its connections to any instance."""
        targets = await self._targets.observe()
        return {c: any(target.state == "healthy" for target in targets[c]) for c in COLOURS}

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        """Return each slot's counters: the backends' at once, the balancer's a minute late."""
        samples = await asyncio.gather(*(self._sample(colour) for colour in COLOURS))
        return dict(zip(COLOURS, samples, strict=True))

    async def _sample(self, colour: Colour) -> TrafficSample:
        status = await self._backends.status(colour)
        late = await self._counters.read(colour)
        targets, groups = await asyncio.gather(self._targets.observe(), self._groups.observe())
        counters = status.counters if status else {}
        upgrades = counters.get("connections_opened", 0)
        refused = counters.get("connections_failed", 0) + late.refused
        return TrafficSample(
            open_connections=status.connections if status else 0,
            requests=max(upgrades + refused, late.requests),
            upgrades=upgrades,
            errors_5xx=late.errors_5xx,
            refused=refused,
            targets=groups[colour].wanted,
            healthy_targets=sum(target.state == "healthy" for target in targets[colour]),
        )

    async def check_rules(self) -> None:
        """Raise `RuleFault` unless `?target=` leads to its slot only."""
        await check_target_rules(self._api, self._outputs)


def weights_in(actions: list[dict[str, Any]], outputs: Outputs) -> Weights | None:
    """Return the weights in a listener's actions; None if they are not ours."""
    forward = next((a for a in actions if a.get("Type") == "forward"), {})
    shares = {
        share["TargetGroupArn"]: int(share.get("Weight", 0))
        for share in forward.get("ForwardConfig", {}).get("TargetGroups", [])
    }
    arns = outputs.target_group_arns
    if set(shares) - {arns.blue, arns.green}:
        return None
    try:
        return Weights(shares.get(arns.blue, 0), shares.get(arns.green, 0))
    except ValueError:  # set by hand: the sum is not 100
        return None
