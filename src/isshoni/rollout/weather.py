"""Estimate what the gauges of a colour would be if no session moved to it.

Both colours often share their cores and always share Redis, so a busy machine shows on a
candidate that has done nothing yet. Three sources, the worst of which counts:

- before: what stable had with all the clients, while the candidate had none;
- beside: what the colour that the sessions leave has now. It counts by half, because the
  move may be the cause of what both suffer: then the move slows down, but gently;
- quiet: what the receiving colour had while no session moved, or so few (the floor of the
  pace) that going slower would change nothing.

Each client that has moved brings its part of the CPU with it.
"""

from collections.abc import Mapping
from dataclasses import replace

from isshoni.rollout.model import BackendStatus, Colour, Observation, other
from isshoni.rollout.pace import (
    CPU,
    LAG,
    REDIS,
    RESTORE,
    WORSE,
    Gauges,
    list_signals,
    read_gauge,
)
from isshoni.rollout.plan import PaceLimits
from isshoni.rollout.state import Moving, Rollout

CONNECTIONS = "connections"
"""The number of clients that a kept CPU was measured with; it is kept beside it, by this name."""
SMOOTHING = 0.2
"""The weight of one observation; there are about four a second."""
MOST_GROWTH = 1.5
"""The CPU of clients is extrapolated to no more than so many times what was measured."""


def record_weather(rollout: Rollout, seen: Observation) -> Rollout:
    """Return the rollout with stable's gauges kept, until a client can be on the candidate."""
    status = seen.backends.get(rollout.stable.colour)
    if rollout.exposed or rollout.rollback is not None or status is None:
        return rollout
    latest = _measure(status, (CPU, LAG, REDIS))
    before = rollout.weather or latest
    smooth = {
        name: before.get(name, value) + SMOOTHING * (value - before.get(name, value))
        for name, value in latest.items()
    }
    return replace(rollout, weather=smooth)


def record_quiet(
    moving: Moving, gauges: Gauges, connections: int, limits: PaceLimits, now: float, *, quiet: bool
) -> Moving:
    """Return the move with the gauges kept that were measured while no session moved.

    A gauge is kept once nothing of the time before can show in it any more.
    """
    if not quiet:
        return replace(moving, quiet_since=None)
    since = now if moving.quiet_since is None else moving.quiet_since
    settled = [it.gauge for it in list_signals(limits) if now - since > it.memory_seconds]
    kept = {**moving.weather, **{name: read_gauge(gauges, name) for name in settled}}
    if CPU in settled:
        kept[CONNECTIONS] = float(connections)
    return replace(moving, quiet_since=since, weather=kept)


def estimate_weather(rollout: Rollout, seen: Observation, to: Colour) -> Mapping[str, float]:
    """Return what the gauges of `to` would be if no session moved there."""
    here, beside = seen.backends.get(to), seen.backends.get(other(to))
    connections = here.connections if here else 0
    moving = rollout.moving
    kept = (rollout.weather, moving.weather if moving else {})
    weather = {
        name: max(*(it.get(name, 0.0) for it in kept), _read(beside, name) / WORSE)
        for name in (LAG, REDIS)
    }
    # A restore waits for the event loop and for Redis; both colours may restore clients.
    quiet = kept[1].get(RESTORE, 0.0)
    shared = _read(beside, RESTORE) / WORSE
    weather[RESTORE] = max(weather[LAG] + weather[REDIS], shared, quiet)
    weather[CPU] = max(_expect_cpu(it, connections) for it in kept)
    others = {name: value for name, value in kept[1].items() if name not in weather}
    return {**others, **weather}


def _expect_cpu(measured: Gauges, connections: int) -> float:
    """Return the CPU that `connections` clients need, going by what was measured with others."""
    measured_with = measured.get(CONNECTIONS, 0.0)
    growth = connections / measured_with if measured_with else 0.0
    return measured.get(CPU, 0.0) * min(MOST_GROWTH, growth)


def _measure(status: BackendStatus, names: tuple[str, ...]) -> dict[str, float]:
    values = {name: read_gauge(status.gauges, name) for name in names}
    return {**values, CONNECTIONS: float(status.connections)}


def _read(status: BackendStatus | None, name: str) -> float:
    return read_gauge(status.gauges, name) if status else 0.0
