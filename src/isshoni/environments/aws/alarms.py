"""The port `Alarms` with CloudWatch: which of the environment's alarms are firing."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered
from isshoni.rollout.model import COLOURS, Colour, FiringAlarm

_LOOK_SECONDS = 10.0
"""CloudWatch evaluates an alarm once a minute, or every ten seconds at best."""
_MAX_NAMES = 100
_DEFAULT_PERIOD_SECONDS = 60


class CloudWatchAlarms:
    """Reads the state of the environment's alarms; Terraform creates them."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._outputs = outputs
        self._seen = Remembered(self._look, _LOOK_SECONDS)

    async def observe_firing(self) -> frozenset[FiringAlarm]:
        """Return the alarms in state ALARM; one without data is not."""
        return await self._seen.get()

    async def _look(self) -> frozenset[FiringAlarm]:
        described = await describe_alarms(self._api, self._outputs.alarm_names)
        return frozenset(
            read_alarm(alarm, self._outputs)
            for alarm in described
            if alarm["StateValue"] == "ALARM"
        )


async def describe_alarms(api: AwsApi, names: tuple[str, ...]) -> list[Answer]:
    """Return the descriptions of the alarms with these names that exist."""
    found: list[Answer] = []
    for start in range(0, len(names), _MAX_NAMES):
        answer = await api.call(
            "cloudwatch",
            "describe_alarms",
            AlarmNames=list(names[start : start + _MAX_NAMES]),
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
        found += [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    return found


def read_alarm(alarm: Mapping[str, Any], outputs: Outputs) -> FiringAlarm:
    """Return an alarm from its description: which slot it watches, and since when."""
    periods = [int(alarm.get("Period") or 0)]
    periods += [
        int(query.get("MetricStat", {}).get("Period") or query.get("Period") or 0)
        for query in alarm.get("Metrics") or ()
    ]
    period = max(periods) or _DEFAULT_PERIOD_SECONDS
    return FiringAlarm(
        alarm["AlarmName"],
        _find_colour(alarm, outputs),
        _read_figures_from(alarm),
        float(period * int(alarm.get("EvaluationPeriods") or 1)),
    )


def _find_colour(alarm: Mapping[str, Any], outputs: Outputs) -> Colour | None:
    """Return the slot that every metric of an alarm is about; None if there is no such slot."""
    found = {_colour_in(dimensions, outputs) for dimensions in _list_dimensions(alarm)}
    return found.pop() if len(found) == 1 else None


def _list_dimensions(alarm: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    metrics = [
        query["MetricStat"]["Metric"]
        for query in alarm.get("Metrics") or ()
        if query.get("MetricStat")
    ]
    for metric in metrics or [alarm]:
        yield {it["Name"]: it["Value"] for it in metric.get("Dimensions") or ()}


def _colour_in(dimensions: Mapping[str, str], outputs: Outputs) -> Colour | None:
    for colour in COLOURS:
        group = outputs.target_group_arns.of(colour).rpartition(":")[2]
        if dimensions.get("TargetGroup") == group or dimensions.get("Colour") == colour:
            return colour
    return None


def _read_figures_from(alarm: Mapping[str, Any]) -> float | None:
    """Return when the figures begin that raised an alarm, from the reason that it gives."""
    try:
        reason = msgspec.json.decode(alarm.get("StateReasonData") or "{}")
        # Like 2026-11-25T10:00:00.000+0000
        return datetime.strptime(reason["startDate"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return None
