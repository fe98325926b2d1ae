"""Bounds of the link to Redis."""

from dataclasses import dataclass

from isshoni.backend.store.redis.link.durability import Durability


@dataclass(frozen=True)
class LinkSettings:
    """How long to wait for Redis, and how much may be waiting."""

    connect_timeout_seconds: float = 3.0
    """For TCP, TLS, AUTH, SELECT and the first PING together."""
    command_timeout_seconds: float = 3.0
    """A command this old makes its connection close: all commands after it are late too."""
    heartbeat_seconds: float = 1.0
    """Seconds between two PINGs on an idle connection."""
    backoff_base_seconds: float = 0.05
    backoff_cap_seconds: float = 2.0
    durability: Durability | None = None
    """None: a write is done when the primary has answered."""
    max_pending: int = 20_000
    """Commands without an answer; one more is refused."""
    max_unsent_bytes: int = 16 << 20
    """Bytes that the kernel has not taken; more is refused."""
