"""Count the bytes that this process keeps for all connections of one address."""


class HeldBytes:
    """The bytes that wait for clients to read, or that are part of unfinished frames of theirs."""

    __slots__ = ("_limit_bytes", "total")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.total = 0

    def add(self, size_bytes: int) -> None:
        """Count more bytes, or fewer."""
        self.total += size_bytes

    @property
    def is_over(self) -> bool:
        """True if the address has more than it may."""
        return self.total > self._limit_bytes
