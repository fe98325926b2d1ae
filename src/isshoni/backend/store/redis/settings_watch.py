"""Check Redis's own settings from time to time, and log new findings."""

import logging
import time
from collections.abc import Callable, Collection
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import ReconnectEvents, ServerInfo
from isshoni.backend.store.redis.requirements import Finding, judge_servers

EVERY_SECONDS = 30.0
_LOG_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


class WatchedServers(ServerInfo, ReconnectEvents, Protocol):
    """Servers that report their settings, and the reconnects after which to ask again."""


class RedisSettingsWatch:
    """Findings about the settings of this Redis, at most half a minute old."""

    def __init__(
        self,
        servers: WatchedServers,
        accepted: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = servers
        self._accepted = accepted
        self._clock = clock
        self._asked_at = float("-inf")
        self._findings: list[Finding] = []
        servers.on_reconnect(self._doubt)

    def _doubt(self) -> None:
        self._asked_at = float("-inf")  # after a reconnect it may be another Redis

    async def find(self) -> list[Finding]:
        """Return the findings; the last ones while Redis does not answer."""
        now = self._clock()
        if now - self._asked_at < EVERY_SECONDS:
            return self._findings
        self._asked_at = now
        try:
            servers = await self._servers.read_info()
        except StoreUnavailable:
            self._doubt()
            return self._findings
        known, self._findings = self._findings, judge_servers(servers, self._accepted)
        for finding in self._findings:
            if finding not in known:
                level = _LOG_LEVELS.get(finding.level, logging.INFO)
                log_event("redis_settings", level=level, name=finding.name, found=finding.detail)
        return self._findings
