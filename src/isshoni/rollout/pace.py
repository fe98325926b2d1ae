"""Choose how fast sessions move: as fast as the colour that they move to can take.

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
"""The time between two changes of the rate; backends measure their CPU once a second."""
TARGET = 0.9
"""The part of a bound at which the loop settles; the rest is a reserve."""
START_SHARE = 0.1
"""The part of the ceiling to begin with, before the other colour was measured."""
FLOOR_SHARE = 0.02
"""The least part of the ceiling: a move must end even on a machine that is fully loaded."""
FASTEST_GROWTH = 2.0
SLOWEST_SHRINK = 0.5


@dataclass(frozen=True)
class Signal:
    """A gauge that limits the migration rate: its bound, and how far one value may slow it down."""

    gauge: str
    bound: float
    shrink: float


def list_signals(limits: PaceLimits) -> tuple[Signal, ...]:
    """Return the gauges that set the rate of a move.

    The last two report the worst of the last ten seconds, so one short delay counts ten
    times: each value may slow the move down only a little.
    """
    return (
        Signal("cpu_pct", limits.cpu_ceiling_pct, SLOWEST_SHRINK),
        Signal("restore_ms", limits.restore_ms, SLOWEST_SHRINK),
        Signal("event_loop_lag_ms", limits.lag_ms, 0.9),
        Signal("redis_latency_ms", limits.redis_ms, 0.9),
    )


def start_rate(ceiling: float) -> float:
    """Return the rate that a move begins with."""
    return ceiling * START_SHARE


def adjust_rate(
    rate: float, gauges: Mapping[str, float] | None, limits: PaceLimits, ceiling: float
) -> float:
    """Return the rate for the next turn; `gauges` None: the backend does not answer."""
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
