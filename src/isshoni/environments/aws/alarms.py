"""The port `Alarms` with CloudWatch: which of the environment's alarms are firing."""

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered

_LOOK_SECONDS = 10.0
"""CloudWatch evaluates an alarm once a minute, or every ten seconds at best."""
_MAX_NAMES = 100


class CloudWatchAlarms:
    """Reads the state of the alarms that roll a deploy back; Terraform creates them."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._names = outputs.alarm_names
        self._seen = Remembered(self._look, _LOOK_SECONDS)

    async def observe_firing(self) -> frozenset[str]:
        """Return the names of the alarms in state ALARM; one without data is not."""
        return await self._seen.get()

    async def _look(self) -> frozenset[str]:
        firing: set[str] = set()
        for start in range(0, len(self._names), _MAX_NAMES):
            answer = await self._api.call(
                "cloudwatch",
                "describe_alarms",
                AlarmNames=list(self._names[start : start + _MAX_NAMES]),
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
            found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
            firing |= {alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"}
        return frozenset(firing)
