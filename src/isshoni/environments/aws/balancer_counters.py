"""The balancer's counters for each slot, from CloudWatch, a minute late.

The backends' own counters make the engine roll back within seconds. These add what never
reached a backend.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered
from isshoni.rollout.model import COLOURS, Colour

PERIOD_SECONDS = 60
_READ_EVERY_SECONDS = 20.0
_METRICS = {
    "requests": "RequestCount",
    "errors_5xx": "HTTPCode_Target_5XX_Count",
    "refused": "TargetConnectionErrorCount",
}


@dataclass(frozen=True)
class LateCounters:
    """Counters since this process began to read them; they only grow."""

    requests: int = 0
    errors_5xx: int = 0
    refused: int = 0


class BalancerCounters:
    """Reads the counters of both target groups, at most once in a while."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._outputs = outputs
        self._since = time.time() // PERIOD_SECONDS * PERIOD_SECONDS
        self._seen = Remembered(self._look, _READ_EVERY_SECONDS)

    async def read(self, colour: Colour) -> LateCounters:
        """Return the counters of one slot."""
        return (await self._seen.get())[colour]

    async def _look(self) -> dict[Colour, LateCounters]:
        answer = await self._api.call(
            "cloudwatch",
            "get_metric_data",
            StartTime=datetime.fromtimestamp(self._since, UTC),
            EndTime=datetime.fromtimestamp(time.time(), UTC),
            MetricDataQueries=[
                self._query(colour, name, metric)
                for colour in COLOURS
                for name, metric in _METRICS.items()
            ],
        )
        sums = {result["Id"]: int(sum(result["Values"])) for result in answer["MetricDataResults"]}
        return {
            colour: LateCounters(**{name: sums.get(f"{colour}_{name}", 0) for name in _METRICS})
            for colour in COLOURS
        }

    def _query(self, colour: Colour, name: str, metric: str) -> dict[str, object]:
        group = self._outputs.target_group_arns.of(colour).rpartition(":")[2]
        # arn:aws:…:listener/app/NAME/ID/LISTENER
        balancer = "/".join(self._outputs.listener_arn.rpartition(":")[2].split("/")[1:4])
        dimensions = [
            {"Name": "TargetGroup", "Value": group},
            {"Name": "LoadBalancer", "Value": balancer},
        ]
        return {
            "Id": f"{colour}_{name}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": metric,
                    "Dimensions": dimensions,
                },
                "Period": PERIOD_SECONDS,
                "Stat": "Sum",
            },
        }
