"""Plan and simulate moves of up to a million connections on two hundred backends.

Run as `scripts/bench planner [--json]`. Each row is one rollout: the forecast
of `isshoni plan`, and the result of a second-by-second simulation in which every backend
has a CPU of its own, the balancer spreads clients at random, and the busiest backend
sets the pace. Pure arithmetic: no sockets, the same figures on every machine.
"""

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from time import perf_counter

from isshoni.rollout.pace import TURN_SECONDS, adjust_rate, start_rate
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.planner import BackendLimits, forecast

SCENES = (
    (1_000, 1, 200.0),
    (10_000, 1, 200.0),
    (10_000, 1, 2_000.0),
    (100_000, 20, 200.0),
    (1_000_000, 200, 200.0),
    (1_000_000, 200, 1_000.0),
)
"""Connections, backends, configured rate a second and backend."""


@dataclass(frozen=True)
class Row:
    """One rollout, as forecast and as simulated."""

    connections: int
    backends: int
    configured_rate: float
    told_seconds: float
    """As forecast; `came_…` is as simulated."""
    came_seconds: float
    told_peak_per_second: float
    came_peak_per_second: int
    came_peak_cpu_pct: float
    seconds_over_ceiling: int
    wall_seconds: float


def simulate(connections: int, backends: int, configured_rate: float, seed: int = 1) -> Row:
    """Return the result of moving all clients, second by second."""
    began, chance = perf_counter(), random.Random(seed)
    plan = RolloutPlan(migrate_rate_per_second=configured_rate, bake_seconds=0)
    limits, forecasted = BackendLimits(), forecast(plan, connections, backends)
    rate, left, turns, over = start_rate(configured_rate), connections, 0, 0
    held: Counter[int] = Counter()
    peak, peak_cpu = 0, 0.0
    while left:
        moved = min(left, round(rate * backends * TURN_SECONDS))
        came = Counter(chance.choices(range(backends), k=moved))
        held.update(came)
        left, turns = left - moved, turns + 1
        cpu = max(
            limits.cpu_pct_at_full * held[b] / limits.connections
            + 100 * came[b] / limits.restores_per_second
            for b in range(backends)
        )
        peak, peak_cpu = max(peak, *came.values()), max(peak_cpu, cpu)
        over += cpu > plan.pace.cpu_ceiling_pct
        rate = adjust_rate(rate, {"cpu_pct": cpu}, plan.pace, configured_rate)
    return Row(
        connections, backends, configured_rate, forecasted.move_seconds, turns * TURN_SECONDS,
        forecasted.peak_per_second, peak, peak_cpu, over, perf_counter() - began,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    rows = [simulate(*scene) for scene in SCENES]
    if arguments.parse_args().json:
        json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
        return
    print("connections  backends  rate/s  forecast s  simulated s  peak/s simulated  CPU %  s over")
    for row in rows:
        print(
            f"{row.connections:>11,}{row.backends:>10}{row.configured_rate:>8.0f}"
            f"{row.told_seconds:>12.1f}{row.came_seconds:>13.1f}{row.told_peak_per_second:>8.0f}"
            f"{row.came_peak_per_second:>10}{row.came_peak_cpu_pct:>7.0f}"
            f"{row.seconds_over_ceiling:>8}"
        )


if __name__ == "__main__":
    main()
