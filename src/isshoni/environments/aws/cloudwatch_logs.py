"""Read the logs of a slot's programs from CloudWatch Logs."""

import asyncio
import time
from collections.abc import AsyncIterator

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.rollout.model import Colour

_BACK_SECONDS = (600, 6 * 3600, 14 * 86_400)
"""How far back to search for lines; the next one is used if there are too few."""
_FOLLOW_EVERY_SECONDS = 1.0
_LATE_SECONDS = 10
"""How late a line may arrive: each stream is uploaded by itself."""


class CloudWatchLogs:
    """Reads the log group of each slot."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._groups = outputs.log_groups

    async def tail(self, colour: Colour, lines: int) -> list[str]:
        """Return the last lines of all machines of a slot, oldest first."""
        if lines <= 0:
            return []
        events: list[dict[str, object]] = []
        for back in _BACK_SECONDS:
            events = await self._read(colour, time.time() - back)
            if len(events) >= lines:
                break
        return [_line(event) for event in events[-lines:]]

    async def follow(self, colour: Colour) -> AsyncIterator[str]:
        """Yield each new line once, until the caller stops."""
        shown: dict[str, int] = {}
        since = time.time()
        while True:
            for event in await self._read(colour, since):
                if event["eventId"] not in shown:
                    shown[str(event["eventId"])] = int(str(event["timestamp"]))
                    yield _line(event)
            since = max(since, time.time() - _LATE_SECONDS)
            shown = {id: at for id, at in shown.items() if at >= since * 1000}
            await asyncio.sleep(_FOLLOW_EVERY_SECONDS)

    async def _read(self, colour: Colour, since: float) -> list[dict[str, object]]:
        events = await self._api.call_all(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=self._groups.of(colour),
            startTime=int(since * 1000),
        )
        return sorted(events, key=lambda event: event["timestamp"])


def _line(event: dict[str, object]) -> str:
    return str(event["message"]).rstrip("\n")
