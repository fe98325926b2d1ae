"""Seconds that nobody sets: the kernel's, and the time of day as they carry it on."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, as macOS's monotonic clock does."""


def read_steady() -> float:
    """Return seconds since the machine was started; no change of the clock moves it."""
    return time.clock_gettime(_CLOCK)


_MIDNIGHT = time.time() - read_steady()


def read_time() -> float:
    """Return seconds since 1970, as this process first read them, plus what has passed.

    The machine's clock may be set meanwhile; a duration between two readings stays true.
    """
    return _MIDNIGHT + read_steady()


def to_steady(at: float) -> float:
    """Place a `read_time()` of this process on the machine's steady clock."""
    return at - _MIDNIGHT


def from_steady(steady: float) -> float:
    """Return as a `read_time()` of this process what another process placed there."""
    return round(_MIDNIGHT + steady, 5)
