"""What a backend counts: one source for the admin status and for Prometheus."""

from dataclasses import dataclass, field

from isshoni.backend.histogram import Histogram
from isshoni.backend.redis_link.meter import SlidingWorst


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


@dataclass
class Histograms:
    """Durations since the process started."""

    ack_seconds: Histogram = field(default_factory=Histogram)
    """From a message's coming to its ack's going."""
    gap_seconds: Histogram = field(default_factory=Histogram)
    """What clients say that they were without a connection; 0 after a move."""


@dataclass
class Gauges:
    """Measures of the present."""

    event_loop_lag_seconds: SlidingWorst = field(default_factory=SlidingWorst)
    cpu_pct: float = 0.0
