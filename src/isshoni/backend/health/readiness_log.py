"""Log when this process stops being ready to serve, and when it is ready again."""

import logging
import time
from collections.abc import Callable

from isshoni.backend.log import log_event

_REPEAT_SECONDS = 30.0
"""Seconds between two log lines if the reason changes while the trouble lasts."""


class _Trouble:
    """Logs the beginning and the end of one kind of trouble, once each."""

    def __init__(self, begins: str, ends: str, clock: Callable[[], float]) -> None:
        self._begins = begins
        self._ends = ends
        self._clock = clock
        self._since: float | None = None
        self._logged: tuple[str, float] = ("", float("-inf"))

    def note(self, reason: str | None) -> None:
        """Log a change of the trouble; `reason` is None when there is none."""
        now = self._clock()
        if reason is None:
            if self._since is not None:
                log_event(self._ends, after_seconds=now - self._since)
            self._since = None
            return
        words, at = self._logged
        news = words != reason and now - at >= _REPEAT_SECONDS
        if self._since is None or news:
            log_event(self._begins, level=logging.WARNING, reason=reason)
            self._logged = (reason, now)
        if self._since is None:
            self._since = now


class ReadinessLog:
    """Logs changes of readiness, and whether Redis accepts and replicates writes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._ready = _Trouble("not_ready", "ready_again", clock)
        self._writes = _Trouble("writes_refused", "writes_taken_again", clock)
        self._replicas = _Trouble("replicas_missing", "replicas_back", clock)

    def note(self, fault: str | None, limit: str | None, shortage: str | None = None) -> None:
        """Log what changed: not ready, nothing can be saved, or writes on too few replicas."""
        self._ready.note(fault)
        self._writes.note(limit)
        self._replicas.note(shortage)
