"""Faults of the link to Redis."""

from isshoni.backend.errors import StoreUnavailable
from isshoni.errors import ExitCode, IsshoniError


class InvalidRedisUrl(IsshoniError):
    """A Redis URL that names no Redis."""

    exit_code = ExitCode.CONFIG

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the Redis URL is wrong: {reason}; it looks like "
            "redis://user:password@host:6379/0 (rediss:// for TLS)"
        )


class ErrorReply(StoreUnavailable):
    """An error that Redis answered; `code` is its first word: OOM, READONLY, LOADING …"""

    def __init__(self, text: str) -> None:
        super().__init__(f"Redis refused: {text}")
        self.code, _, self.detail = text.partition(" ")


class NotDurable(StoreUnavailable):
    """Too few replicas or disks confirmed a write in time; reading still works."""


class NotWriter(StoreUnavailable):
    """This region may not write now; reading works."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing was written: {why}")
