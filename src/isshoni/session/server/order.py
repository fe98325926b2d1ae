"""The order to move sessions away from a program, as the admin API has it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MigrationOrder:
    """A request to move sessions."""

    to: str
    rate_per_second: float
    within_seconds: float
    share_pct: float = 100.0
    address: str | None = None
    """The origin of the region to move to; None for a move within this one."""

    @property
    def is_whole(self) -> bool:
        """True if every connection must move or be closed."""
        return self.share_pct >= 100.0
