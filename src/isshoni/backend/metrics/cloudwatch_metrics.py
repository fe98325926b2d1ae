"""Metrics for CloudWatch, as lines of the log: its Embedded Metric Format.

The agent that sends the log to CloudWatch Logs sends the metrics with it; the backend needs
neither a library of AWS nor a permission. One line a minute and process, in the middle of the
minute, so that a sum over a minute counts each process once.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from isshoni.backend.metrics.metrics import Metrics

PERIOD_SECONDS = 60.0
_COUNTED = {
    "ConnectionFailures": "connections_failed",
    "Restores": "restores",
    "RestoreFailures": "restore_failures",
    "RedisErrors": "redis_errors",
    "WritesShortOfReplicas": "writes_short_of_replicas",
    "Migrations": "migrated",
}
"""The counters of which each line has the growth since the line before."""


class EmbeddedMetrics:
    """Writes the measures of this process, a line a minute."""

    def __init__(
        self,
        metrics: Metrics,
        namespace: str,
        colour: str,
        environment: str = "",
        stands_by: Callable[[], bool] | None = None,
    ) -> None:
        self._metrics = metrics
        self._namespace = namespace
        # By colour alone as well: alarms and dashboards from before environments read that.
        self._dimensions = [{"Colour": colour}]
        if environment:
            self._dimensions.append({"Environment": environment, "Colour": colour})
        self._stands_by = stands_by
        self._before: Mapping[str, int] = {}

    async def publish(self) -> None:
        """Write lines for as long as the process lives."""
        while True:
            await asyncio.sleep(seconds_until_next(time.time()))
            sys.stdout.write(self.take_line(time.time()) + "\n")
            sys.stdout.flush()

    def take_line(self, now: float) -> str:
        """Return the line of this minute; its counts begin at the line before."""
        counters = self._metrics.counters()
        connections, _ = self._metrics.connections()
        values: dict[str, tuple[float, str]] = {
            "ActiveWebSocketConnections": (connections, "Count"),
            "PubSubLag": (self._metrics.gauges()["pubsub_lag_ms"], "Milliseconds"),
        }
        if self._stands_by is not None:
            values["StandbyProcesses"] = (int(self._stands_by()), "Count")
        for name, counter in _COUNTED.items():
            values[name] = (counters[counter] - self._before.get(counter, 0), "Count")
        self._before = counters
        return encode_line(self._namespace, self._dimensions, values, now)


def seconds_until_next(now: float) -> float:
    """Calculate how long it is to the middle of a minute."""
    return PERIOD_SECONDS - (now - PERIOD_SECONDS / 2) % PERIOD_SECONDS


def encode_line(
    namespace: str,
    dimensions: Sequence[Mapping[str, str]],
    values: Mapping[str, tuple[float, str]],
    now: float,
) -> str:
    """Return one line: the values with their units, and the directive that CloudWatch reads.

    Each of `dimensions` makes a metric of its own for each value.
    """
    directive: dict[str, Any] = {
        "Namespace": namespace,
        "Dimensions": [list(names) for names in dimensions],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
    }
    line = {
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]},
        **{name: value for names in dimensions for name, value in names.items()},
        **{name: value for name, (value, _) in values.items()},
    }
    return msgspec.json.encode(line).decode()
