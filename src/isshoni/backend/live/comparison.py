"""Decide when a write also compares the log by content, not only by length."""

from math import inf
from time import monotonic

COMPARE_SECONDS = 1.0
"""Seconds between two comparisons: each costs Redis a third of an append. A fork between two of
them is found by the re-read after a reconnect; what was appended until then is still in the log."""


class Comparison:
    """Allows one comparison a second."""

    def __init__(self) -> None:
        self._compared_at = -inf

    def is_due(self) -> bool:
        """True if no comparison was made for a second; the caller must then make one."""
        now = monotonic()
        if now - self._compared_at < COMPARE_SECONDS:
            return False
        self._compared_at = now
        return True
