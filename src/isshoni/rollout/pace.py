"""Choose how fast sessions move: as fast as the colour that they move to can take.

A closed loop. Each second the rate is multiplied by the square root of the headroom
that the tightest signal leaves, within bounds: the gradient limiter of Netflix's
concurrency-limits (`Gradient2Limit`: limit × clamp(target / measured)), damped by the
root because what is measured is up to a second old. Where a signal is proportional to
the rate it settles at `TARGET` of the bound without overshooting for more than a turn
or two; doubling at most from a part of the ceiling is slow start (Jacobson,
"Congestion Avoidance and Control", 1988).

What a signal would be if no session moved is its weather (`rollout/weather.py`): the move
is not its cause, so going slower would not change it. CPU adds up, so the weather is
subtracted from what is measured and from the ceiling. Times multiply on a busy machine,
so the bound is never below `WORSE` times the weather.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isshoni.rollout.plan import PaceLimits

TURN_SECONDS = 1.0
"""The time between two changes of the rate; backends measure their CPU once a second."""
TARGET = 0.9
"""The part of a bound at which the loop settles; the rest is a reserve."""
START_SHARE, START_PER_SECOND = 0.1, 50.0
"""What to begin with before the other colour was measured: the greater of this part of the
ceiling and of this many clients a second (but no more than a quarter of the ceiling)."""
FLOOR_SHARE = 0.05
"""The least part of the ceiling: a move must end even on a machine that is fully loaded."""
FASTEST_GROWTH = 2.0
SLOWEST_SHRINK = 0.5
WORSE = 2.0
"""How many times the weather a duration may be before it counts against the move."""
CPU_RESERVE = 0.25
"""The part of the CPU ceiling that a move may use even if clients alone use it up."""

CPU, RESTORE, REDIS = "cpu_pct", "restore_ms", "redis_latency_ms"
LAG, LAG_OF_OLDER = "event_loop_lag_recent_ms", "event_loop_lag_ms"
"""Releases from before the first report only the second, the worst of ten seconds."""
WAITING = "waiting_ms"
"""How long clients that were asked to move take for it; measured on the side they leave."""

Gauges = Mapping[str, float]


@dataclass(frozen=True)
class Signal:
    """A gauge that limits the migration rate: its bound, and how far one value may slow it down."""

    gauge: str
    bound: float
    shrink: float
    memory_seconds: float
    """How long a value that has passed may still show in the gauge."""


def list_signals(limits: PaceLimits) -> tuple[Signal, ...]:
    """Return the gauges that set the rate of a move.

    Some report the worst of the last ten seconds, so one short delay counts ten
    times: each value may slow the move down only a little.
    """
    return (
        Signal(CPU, limits.cpu_ceiling_pct, SLOWEST_SHRINK, 1.0),
        Signal(RESTORE, limits.restore_ms, SLOWEST_SHRINK, 3.0),
        Signal(LAG, limits.lag_ms, 0.9, 3.0),
        Signal(REDIS, limits.redis_ms, 0.9, 10.0),
        Signal(WAITING, limits.waiting_ms, 0.9, 10.0),
    )


def start_rate(ceiling: float) -> float:
    """Return the rate that a move begins with."""
    return max(ceiling * START_SHARE, min(START_PER_SECOND, ceiling / 4))


def floor_rate(ceiling: float) -> float:
    """Return the rate that a move does not fall below."""
    return ceiling * FLOOR_SHARE


def adjust_rate(
    rate: float,
    gauges: Gauges | None,
    limits: PaceLimits,
    ceiling: float,
    weather: Gauges | None = None,
) -> float:
    """Return the rate for the next turn; `gauges` None: the backend does not answer."""
    if gauges is None:
        factor = SLOWEST_SHRINK
    else:
        pairs = [(it, measure_pressure(it, gauges, weather or {})) for it in list_signals(limits)]
        factor = min(_factor(signal, pressure) for signal, pressure in pairs)
    return min(ceiling, max(floor_rate(ceiling), rate * factor))


def measure_pressure(signal: Signal, gauges: Gauges, weather: Gauges) -> float:
    """Return what the move causes of a signal, as a part of what it may cause."""
    value, without = read_gauge(gauges, signal.gauge), weather.get(signal.gauge, 0.0)
    if signal.gauge == CPU:
        room = max(signal.bound - without, CPU_RESERVE * signal.bound)
        return (value - without) / room
    return value / max(signal.bound, WORSE * without)


def read_gauge(gauges: Gauges, name: str) -> float:
    """Return a gauge; of an older release the one that it has instead; 0.0 if none."""
    if name == LAG and LAG not in gauges:
        name = LAG_OF_OLDER
    return gauges.get(name, 0.0)


def _factor(signal: Signal, pressure: float) -> float:
    if pressure <= 0:
        return FASTEST_GROWTH
    return min(FASTEST_GROWTH, max(signal.shrink, math.sqrt(TARGET / pressure)))
