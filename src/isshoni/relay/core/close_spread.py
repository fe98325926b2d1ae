"""When the clients that cannot be moved are closed: spread evenly over the time that they have."""

_SHARE = 0.9
"""Of the time: after the rest of it the program is stopped, which cuts those that are left."""


class CloseSpread:
    """Allows one close after the other, the last one just before the time is over."""

    def __init__(self, began: float, over_seconds: float) -> None:
        self._end = began + over_seconds * _SHARE
        self._last = began

    def allow(self, now: float, remaining: int) -> bool:
        """True if one of the `remaining` clients is to be closed now; it then counts as closed."""
        due = self._last + (self._end - self._last) / max(1, remaining)
        if now < min(due, self._end):
            return False
        self._last = min(max(due, self._last), self._end)
        return True
