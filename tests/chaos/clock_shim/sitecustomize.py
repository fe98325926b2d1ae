"""Shift `time.time()` of a process by the seconds that a file says, while it runs.

Setting a machine's clock needs privileges; this is what a process sees of it. The steady
clocks (`time.monotonic`, `time.clock_gettime`) stay, as they do when a clock is set.
"""

import os
import time

_FILE = os.environ.get("ISSHONI_TEST_CLOCK_FILE", "")
_true_time, _true_time_ns = time.time, time.time_ns


def _read_offset() -> float:
    try:
        with open(_FILE) as file:
            return float(file.read() or 0)
    except (OSError, ValueError):
        return 0.0


def _shifted_time() -> float:
    return _true_time() + _read_offset()


def _shifted_time_ns() -> int:
    return _true_time_ns() + int(_read_offset() * 1e9)


if _FILE:
    time.time, time.time_ns = _shifted_time, _shifted_time_ns
