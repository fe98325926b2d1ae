"""Timeouts and sizes of a client."""

from dataclasses import dataclass, field

from isshoni.session.backoff import BackoffPolicy


@dataclass(frozen=True)
class ClientSettings:
    """Timeouts and limits; the defaults suit real networks and loopback alike."""

    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    open_timeout_seconds: float = 5.0
    """For TCP and the WebSocket handshake."""
    alternative_timeout_seconds: float = 2.0
    """The same while another region's address has not been tried yet."""
    restore_timeout_seconds: float = 5.0
    """From asking for a restore to its answer."""
    close_timeout_seconds: float = 1.0
    """For the other side to answer our close frame."""
    abandoned_move_seconds: float = 1.0
    """How long a move may go on after the connection it started from is lost."""
    resend_pause_seconds: float = 0.2
    """Longest pause before we send again what Redis did not take; drawn at random."""
    event_timeout_seconds: float = 2.0
    """For the event of an acknowledged number to arrive; then a restore is asked for."""
    new_life_seconds: float = 1.0
    """For the last messages of an earlier life of this client_id to reach the log.

    It begins again while the log takes more than a quarter of it to answer.
    """
    other_life_seconds: float = 10.0
    """For another life of this client_id to stop sending, after each of its messages."""
    max_pace_seconds: float = 10.0
    """Longest pause that we let the server ask of us when we are too fast."""
    token_timeout_seconds: float = 10.0
    """For a callable to return a fresh session token."""
    answer_seconds: float = 5.0
    """For the server to answer a message or an edit; then it is pinged."""
    probe_seconds: float = 5.0
    """For the answer to that ping; then the connection counts as dead."""
    heartbeat_seconds: float | None = None
    """Between pings; None for what the server says."""
    max_frame_bytes: int = 64 << 20
    """Longest frame accepted: a whole canvas, or a replay of long messages."""
