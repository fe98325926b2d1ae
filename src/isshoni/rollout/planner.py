"""Forecast how long a rollout will take, and how much it will load the machines.

The clients are spread evenly over the backends of a colour; each backend moves its own
clients away, and the balancer spreads them at random over the backends of the other colour. So the
busiest of B backends that get r a second each on average sees about r + √(2 r ln B) in
its worst second (the expected maximum of B Poisson counts, by the Gaussian bound; see
Boucheron, Lugosi, Massart, "Concentration Inequalities", 2.5).
"""

import math
from dataclasses import dataclass

from isshoni.plurals import count
from isshoni.rollout.pace import FASTEST_GROWTH, FLOOR_SHARE, TARGET, TURN_SECONDS, start_rate
from isshoni.rollout.plan import RolloutPlan


@dataclass(frozen=True)
class BackendLimits:
    """The load that one backend (one process on one core) can take."""

    restores_per_second: float = 1000.0
    """The rate at which restoring alone uses the whole core."""
    connections: int = 20_000
    """The most connections that it should have."""
    cpu_pct_at_full: float = 40.0
    """Its CPU use with that many connections while none moves."""


@dataclass(frozen=True)
class StepForecast:
    """What one step of the rollout will do."""

    title: str
    share_pct: float
    """The share of live sessions that are on the candidate after the step."""
    connections: int
    """How many this step moves."""
    move_seconds: float
    bake_seconds: float


@dataclass(frozen=True)
class Forecast:
    """The times and loads of a rollout in which all goes well."""

    connections: int
    backends: int
    """The number of backends of each colour."""
    rate_per_second: float
    """Connections that move to one backend a second, at the settled rate."""
    slowed_by_cpu: bool
    """True if the CPU ceiling limits the rate, and not the configured rate."""
    peak_per_second: float
    """Connections that the busiest backend gets in its worst second."""
    peak_cpu_pct: float
    """CPU use of a backend while the last connections arrive, at the settled rate."""
    connections_per_backend: int
    """Connections on the busiest backend at the end."""
    steps: tuple[StepForecast, ...]
    warnings: tuple[str, ...] = ()

    @property
    def move_seconds(self) -> float:
        """Return the total time in which sessions move."""
        return sum(step.move_seconds for step in self.steps)

    @property
    def seconds(self) -> float:
        """Return the time from the first canary to the last session, bakes included."""
        return self.move_seconds + sum(step.bake_seconds for step in self.steps)


def forecast(
    plan: RolloutPlan, connections: int, backends: int = 1, limits: BackendLimits | None = None
) -> Forecast:
    """Return the forecast of a rollout of `plan`.

    `connections` live ones are on `backends` of the stable colour; the candidate has as
    many backends. `migrate_rate_per_second` is the most that each backend may get.
    """
    limits = limits or BackendLimits()
    each = connections / backends
    bearable = calculate_bearable_rate(plan, each, limits)
    rate = min(plan.migrate_rate_per_second, bearable)
    steps = _forecast_steps(plan, connections, backends, rate)
    return Forecast(
        connections=connections,
        backends=backends,
        rate_per_second=rate,
        slowed_by_cpu=bearable < plan.migrate_rate_per_second,
        peak_per_second=calculate_busiest(rate, backends),
        peak_cpu_pct=_base_cpu_pct(each, limits) + 100 * rate / limits.restores_per_second,
        connections_per_backend=math.ceil(calculate_busiest(each, backends)),
        steps=steps,
        warnings=_list_warnings(plan, connections, backends, limits),
    )


def calculate_bearable_rate(plan: RolloutPlan, each: float, limits: BackendLimits) -> float:
    """Return the rate at which the CPU stays at its target while the last clients arrive."""
    headroom_pct = TARGET * plan.pace.cpu_ceiling_pct - _base_cpu_pct(each, limits)
    slowest = plan.migrate_rate_per_second * FLOOR_SHARE
    return max(slowest, headroom_pct / 100 * limits.restores_per_second)


def calculate_busiest(mean: float, backends: int) -> float:
    """Return what the busiest of some backends gets when each gets `mean` on average."""
    return mean + math.sqrt(2 * mean * math.log(backends))


def calculate_move_seconds(count: float, rate: float, first_rate: float) -> tuple[float, float]:
    """Return the time to move `count` clients from a `first_rate`, and the rate reached.

    The rate doubles each turn until it is `rate`: a geometric sum, then a straight line.
    """
    seconds, current = 0.0, min(rate, first_rate)
    while current < rate and count > current * TURN_SECONDS:
        count -= current * TURN_SECONDS
        seconds += TURN_SECONDS
        current = min(rate, current * FASTEST_GROWTH)
    return seconds + count / current, current


def _forecast_steps(
    plan: RolloutPlan, connections: int, backends: int, rate: float
) -> tuple[StepForecast, ...]:
    steps, moved, current = [], 0, start_rate(plan.migrate_rate_per_second)
    for weight in plan.weights:
        upto = round(connections * weight / 100)
        seconds, current = calculate_move_seconds((upto - moved) / backends, rate, current)
        title = f"canary {weight} %"
        steps.append(StepForecast(title, weight, upto - moved, seconds, plan.bake_seconds))
        moved = upto
    return tuple(steps)


def _base_cpu_pct(each: float, limits: BackendLimits) -> float:
    return limits.cpu_pct_at_full * each / limits.connections


def _list_warnings(
    plan: RolloutPlan, connections: int, backends: int, limits: BackendLimits
) -> tuple[str, ...]:
    warnings = []
    busiest = math.ceil(calculate_busiest(connections / backends, backends))
    if busiest > limits.connections:
        warnings.append(
            f"the busiest backend would hold {count(busiest, 'connection')}, more than "
            f"{limits.connections}: take at least {math.ceil(connections / limits.connections)} "
            "backends"
        )
    target = TARGET * plan.pace.cpu_ceiling_pct
    base = _base_cpu_pct(connections / backends, limits)
    if base >= target:
        warnings.append(
            f"the clients alone would use {base:.0f} % of a core, and the pace leaves "
            f"{target:.0f} %: the move would go at its slowest"
        )
    return tuple(warnings)
