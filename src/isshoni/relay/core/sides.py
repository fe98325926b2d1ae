"""The two programs that a client is connected to during a move."""

from enum import Enum


class Side(Enum):
    """The program that a client moves from, and the one that it moves to."""

    OLD = "old"
    NEW = "new"

    @property
    def other(self) -> "Side":
        """Return the other side."""
        return Side.NEW if self is Side.OLD else Side.OLD
