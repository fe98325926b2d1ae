"""Which part was at fault for a long cut, from what a client can see (spec E3).

A client sees how its connection ended, when it tried to come back, and how each
try failed. That tells the parts apart often, not always; where it does not, the
answer is `unknown`, never a guess.
"""

from itertools import pairwise
from typing import Literal

from isshoni.verify.gaps import Cut

Part = Literal["load balancer drain", "load balancer", "backend", "Redis", "reconnect logic"]

GOING_AWAY = (1001, 1012)
IDLE_SHARE = 0.5
"""A client that let more than this share of a cut pass without trying was slow itself."""
LONG_WAIT_SECONDS = 5.0


def attribute(cut: Cut) -> Part | Literal["unknown"]:
    """Name the part at fault for `cut`."""
    if _longest_wait_seconds(cut) > max(LONG_WAIT_SECONDS, IDLE_SHARE * cut.seconds):
        return "reconnect logic"
    faults = [_part_of(attempt.fault.lower()) for attempt in cut.attempts]
    named = [fault for fault in faults if fault is not None]
    if named:
        return max(sorted(set(named)), key=named.count)
    if cut.close_code in GOING_AWAY:
        return "load balancer drain"
    return "unknown"


def explain(cut: Cut, part: str) -> str:
    """Say in a sentence what a client met during `cut`."""
    code = "no close frame" if cut.close_code in (None, 1006) else f"close code {cut.close_code}"
    tries = f"{len(cut.attempts)} vain tries"
    last = f", the last: {cut.attempts[-1].fault}" if cut.attempts else ""
    back = "" if cut.ended else ", and never came back"
    return f"at fault: {part} ({code}, {tries}{last}{back})"


def _longest_wait_seconds(cut: Cut) -> float:
    times = [cut.began_at, *(attempt.at for attempt in cut.attempts), cut.ended_at]
    return max(b - a for a, b in pairwise(times))


def _part_of(fault: str) -> Part | None:
    """Tell a part by the words of a fault; the order matters: the closest cause first."""
    if "not_ready" in fault or "not_saved" in fault:
        return "Redis"  # the backend answers, and says that it cannot reach the session
    if any(word in fault for word in ("502", "503", "504", "404", "refused", "unreachable")):
        return "load balancer"  # nobody to give the connection to
    if any(word in fault for word in ("1011", "500", "timed out", "timeout", "closed")):
        return "backend"
    return None
