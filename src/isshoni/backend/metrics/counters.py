"""The counters of a backend, for the admin status and for Prometheus."""

from dataclasses import dataclass, field

from isshoni.backend.errors import SessionRefused, StoreUnavailable
from isshoni.backend.metrics.histogram import Histogram
from isshoni.backend.metrics.recent import RecentValues
from isshoni.backend.store.redis.link.meter import SlidingWorst
from isshoni.session.close_codes import CloseCode


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
    """Entries of canvas logs that break Yjs or cannot be read, and were skipped."""
    canvas_holes: int = 0
    """Authors of whom a canvas lacks an update that later updates build on."""
    canvas_cut_characters: int = 0
    """Canvases in which an edit cut a character in two; counted at each load."""
    chat_poison: int = 0
    """Entries of chat logs that cannot be read."""
    logs_recovered: int = 0
    """Chat logs that had lost their end and have got it back from copies."""
    logs_lost: int = 0
    """Chat logs whose lost end no process and no client had: a new epoch was begun."""
    logs_forked: int = 0
    """Chat logs to which Redis appended after it lost messages: merged under a new epoch."""
    messages_put_back: int = 0
    refused_origin: int = 0
    refused_unauthenticated: int = 0
    refused_not_allowed: int = 0
    refused_full: int = 0
    refused_sessions: int = 0
    """Loads of new sessions that would have exceeded the quota of stored ones."""
    refused_session_id: int = 0
    refused_path: int = 0
    """WebSocket handshakes for a path outside `/ws/`."""
    refused_headers: int = 0
    """Requests and handshakes whose headers were too large (431)."""
    refused_handshake: int = 0
    """Requests that are not HTTP, and handshakes that break RFC 6455 (400, 405, 426)."""
    seconds_out_of_files: int = 0
    """Seconds in which no file could be opened: the system then cut new connections."""
    read_only: int = 0
    """Writes that a role of `read` did not allow."""
    rate_limited: int = 0
    """Text frames refused for the rate of their connection."""
    closed_too_fast: int = 0
    canvas_paused: int = 0
    """Binary frames that had to wait for the rate of their connection."""
    canvas_full: int = 0
    frames_too_large: int = 0
    closed_no_hello: int = 0
    sessions_deleted: int = 0
    expired: int = 0
    """Connections closed because their token expired."""

    def count_redis_error(self, fault: StoreUnavailable) -> None:
        """Count a fault of Redis, by which a deploy is judged; a refused session is none."""
        if not isinstance(fault, SessionRefused):
            self.redis_errors += 1

    def count_refusal(self, code: CloseCode) -> None:
        """Count a connection that was refused."""
        if code is CloseCode.SERVICE_RESTART:
            self.connections_failed += 1
        elif code is CloseCode.UNAUTHENTICATED:
            self.refused_unauthenticated += 1
        elif code is CloseCode.NOT_ALLOWED:
            self.refused_not_allowed += 1
        elif code is CloseCode.TRY_AGAIN_LATER:
            self.refused_full += 1
        elif code is CloseCode.BAD_SESSION_ID:
            self.refused_session_id += 1


@dataclass
class Histograms:
    """Durations since the process started."""

    ack_seconds: Histogram = field(default_factory=Histogram)
    """From the arrival of a message to the sending of its ack."""
    gap_seconds: Histogram = field(default_factory=Histogram)
    """How long clients report that they were without a connection; 0 after a move."""


@dataclass
class Gauges:
    """Measures of the present."""

    event_loop_lag_seconds: SlidingWorst = field(default_factory=SlidingWorst)
    recent_lag_seconds: RecentValues = field(default_factory=RecentValues)
    """The lags of the last seconds: what lasts, where the other has the worst moment."""
    restore_seconds: RecentValues = field(default_factory=RecentValues)
    """From a client's request to its session restored."""
    cpu_pct: float = 0.0
