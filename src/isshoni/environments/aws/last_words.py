"""Read the last line that a stopped task wrote to its log."""

import time
from datetime import datetime

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour

_TRIES = 10
"""Observations for which lines are waited for: the log driver sends them every few seconds."""
_BEFORE_END_SECONDS = 60.0
_MAX_CHARACTERS = 300


class LastWords:
    """Reads the log stream of a task; what it found is remembered."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._groups = outputs.log_groups
        self._found: dict[str, str] = {}
        self._tries: dict[str, int] = {}

    async def find(self, colour: Colour, task: Answer) -> str | None:
        """Return the last line of a stopped task's log; None while there is none."""
        arn = str(task["taskArn"])
        if arn in self._found or self._tries.get(arn, 0) >= _TRIES:
            return self._found.get(arn)
        self._tries[arn] = self._tries.get(arn, 0) + 1
        try:
            lines = await self._read(colour, arn, task.get("stoppedAt"))
        except EnvironmentFault:  # no stream: it never started
            return None
        if lines:
            self._found[arn] = lines[-1][:_MAX_CHARACTERS]
        return self._found.get(arn)

    async def _read(self, colour: Colour, arn: str, stopped: object) -> list[str]:
        ended = stopped.timestamp() if isinstance(stopped, datetime) else time.time()
        events = await self._api.call_all(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=self._groups.of(colour),
            # PREFIX/CONTAINER/TASK, as the log driver of ECS names it.
            logStreamNames=[f"backend/backend/{arn.rpartition('/')[2]}"],
            startTime=int((ended - _BEFORE_END_SECONDS) * 1000),
        )
        lines = [str(e["message"]).strip() for e in sorted(events, key=lambda e: e["timestamp"])]
        return [line for line in lines if line]
