"""A clock that does not change when the machine's time of day is set."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Also counts while the machine sleeps, as macOS's monotonic clock does."""


def read_steady() -> float:
    """Return seconds since the machine started; setting the clock does not change it."""
    return time.clock_gettime(_CLOCK)


_MIDNIGHT = time.time() - read_steady()


def read_time() -> float:
    """Return seconds since 1970: the time when this process began, plus the steady clock.

    If the machine's clock is set, the difference of two values is still the true duration.
    """
    return _MIDNIGHT + read_steady()


def to_steady(at: float) -> float:
    """Convert a `read_time()` of this process to the machine's steady clock."""
    return at - _MIDNIGHT


def from_steady(steady: float) -> float:
    """Convert a time of the machine's steady clock to a `read_time()` of this process."""
    return round(_MIDNIGHT + steady, 5)
