"""What a backend counts: one source for the admin status and for Prometheus."""

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Counters:
    """Counts since the process started; they only grow."""

    connections_opened: int = 0
    connections_failed: int = 0
    restores: int = 0
    restore_failures: int = 0
    messages: int = 0
    duplicates: int = 0
    edits: int = 0
    redis_errors: int = 0
    migrated: int = 0
    stragglers: int = 0
    overflows: int = 0
    bad_frames: int = 0
    canvas_poison: int = 0
    """Entries of canvas logs that break Yjs, and were skipped."""


class WorstRecent:
    """The worst of a measure over the last seconds."""

    def __init__(self, window_seconds: float = 5.0) -> None:
        self._window_seconds = window_seconds
        self._worst: deque[tuple[float, float]] = deque()

    def add(self, value: float, now: float | None = None) -> None:
        """Take one sample in."""
        now = time.monotonic() if now is None else now
        # Only a sample that nothing later outdoes can still become the worst.
        while self._worst and self._worst[-1][1] <= value:
            self._worst.pop()
        self._worst.append((now, value))
        self._forget(now)

    def read(self, now: float | None = None) -> float:
        """Give the worst of the window; 0 when there was no sample."""
        self._forget(time.monotonic() if now is None else now)
        return self._worst[0][1] if self._worst else 0.0

    def _forget(self, now: float) -> None:
        while self._worst and self._worst[0][0] < now - self._window_seconds:
            self._worst.popleft()


@dataclass
class Gauges:
    """Measures of the present, in seconds and percent."""

    pubsub_lag_seconds: WorstRecent = field(default_factory=WorstRecent)
    event_loop_lag_seconds: WorstRecent = field(default_factory=WorstRecent)
    redis_latency_seconds: WorstRecent = field(default_factory=WorstRecent)
    cpu_pct: float = 0.0
