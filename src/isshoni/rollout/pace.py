"""How fast sessions may move: as fast as the side they move to can bear.

A closed loop. Each second the rate is multiplied by the square root of the headroom
that the tightest signal leaves, within bounds: the gradient limiter of Netflix's
concurrency-limits (`Gradient2Limit`: limit × clamp(target / measured)), damped by the
root because what is measured is up to a second old. Where a signal is proportional to
the rate it settles at `TARGET` of the bound without overshooting for more than a turn
or two; doubling at most from a tenth of the ceiling is slow start (Jacobson,
"Congestion Avoidance and Control", 1988).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isshoni.rollout.plan import PaceLimits

TURN_SECONDS = 1.0
"""Between two changes of the rate; backends measure their CPU once a second."""
TARGET = 0.9
"""Where in a bound the loop settles; the rest is for what it cannot foresee."""
START_SHARE = 0.1
"""Of the ceiling, when nothing is known of the side that sessions move to."""
FLOOR_SHARE = 0.02
"""Of the ceiling; a move must end even where others use the machine up."""
FASTEST_GROWTH = 2.0
SLOWEST_SHRINK = 0.5


@dataclass(frozen=True)
class Signal:
    """A gauge, its bound, and the most that one reading of it may slow a move down."""

    gauge: str
    bound: float
    shrink: float


def list_signals(limits: PaceLimits) -> tuple[Signal, ...]:
    """List what a move goes by.

    The last two remember the worst of ten seconds, so one hiccup counts ten times:
    each reading may do little.
    """
    return (
        Signal("cpu_pct", limits.cpu_ceiling_pct, SLOWEST_SHRINK),
        Signal("restore_ms", limits.restore_ms, SLOWEST_SHRINK),
        Signal("event_loop_lag_ms", limits.lag_ms, 0.9),
        Signal("redis_latency_ms", limits.redis_ms, 0.9),
    )


def start_rate(ceiling: float) -> float:
    """Return the rate to begin with."""
    return ceiling * START_SHARE


def adjust_rate(
    rate: float, gauges: Mapping[str, float] | None, limits: PaceLimits, ceiling: float
) -> float:
    """Return the rate for the next turn; `gauges` None: the other side does not answer."""
    if gauges is None:
        factor = SLOWEST_SHRINK
    else:
        factor = min(_factor(signal, gauges) for signal in list_signals(limits))
    return min(ceiling, max(ceiling * FLOOR_SHARE, rate * factor))


def _factor(signal: Signal, gauges: Mapping[str, float]) -> float:
    pressure = gauges.get(signal.gauge, 0.0) / signal.bound
    if pressure <= 0:
        return FASTEST_GROWTH
    return min(FASTEST_GROWTH, max(signal.shrink, math.sqrt(TARGET / pressure)))
