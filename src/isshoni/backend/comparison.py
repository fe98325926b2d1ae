"""When a write has the log compared by content, and not only by length."""

from math import inf
from time import monotonic

COMPARE_SECONDS = 1.0
"""A comparison costs Redis a third of an append. Between two of them a fork is found by the
re-read that every reconnect brings; what is appended until then is in the log all the same."""


class Comparison:
    """Lets one write a second be compared."""

    def __init__(self) -> None:
        self._compared_at = -inf

    def is_due(self) -> bool:
        """True if the last one was a second ago; then this one counts as the next."""
        now = monotonic()
        if now - self._compared_at < COMPARE_SECONDS:
            return False
        self._compared_at = now
        return True
