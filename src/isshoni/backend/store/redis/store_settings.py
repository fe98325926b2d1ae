"""Settings of the store in Redis."""

from dataclasses import dataclass, field

from isshoni.backend.store.redis.link import LinkSettings


@dataclass(frozen=True)
class StoreSettings:
    """Limits on what a session keeps, and timings of the store."""

    link: LinkSettings = field(default_factory=LinkSettings)
    offline_window_seconds: float = 3600.0
    """How long a client may be offline and still get all missed messages and its numbers."""
    chat_retention: int = 10_000
    """How many messages a chat log keeps whatever their age."""
    chat_ceiling: int = 100_000
    """About the most messages it keeps, whatever their age: this bounds the memory."""
    session_expiry_seconds: float = 0.0
    """How long a session may go unused before it expires; 0: for ever."""
    max_sessions: int = 0
    """The most sessions that are stored; 0: no bound."""
    channel_secret: str = ""
    """The secret that the names of the sessions' channels are computed with (channels.py)."""
    has_regions: bool = False
    """True if another region may be the one that writes: then each write passes the gate."""
    lag_interval_seconds: float = 1.0
    reread_delay_seconds: float = 0.1
    """How long new logs are collected before their sessions re-read."""
