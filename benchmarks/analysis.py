"""How often a good candidate is sent back, and how soon a bad one is: simulated canaries.

    scripts/bench analysis
    scripts/bench analysis --good 1000 --bad 100 --seed 1 --json analysis.json

The engine's own `decide` judges. Around it everything is drawn at random from a seed:
users, probes, a background of failures on both colours, shocks that hit both at once
(a busy machine, a Redis that stumbles), hiccups of one colour that last a moment, a machine
that both share and saturate, sessions that move and slow the candidate down, short troubles
of Redis in which neither colour is ready (each notices and recovers in its own time),
and single looks that cannot read something or see one colour fail its health check.
"""

import argparse
import itertools
import json
import random
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.support.canaries import (
    FAULTS,
    FIRST_SATURATED,
    HALF_SATURATED,
    LATE_FAULTS,
    PROBE_SECONDS,
    RATES,
    SATURATED,
    STOPPED,
    V1,
    V2,
    WATCHED_SECONDS,
    Fault,
    World,
)

from isshoni.rollout.actions import ActionResult, ApplyWeights, Migrate, SendProbes
from isshoni.rollout.analysis.evidence import Evidence
from isshoni.rollout.analysis.sequential import SUSPICION, calculate_evidence
from isshoni.rollout.decide import decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import (
    Stable,
)
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout, begin_rollout
from isshoni.rollout.step_records import enter_step
from isshoni.rollout.steps import StepName


@dataclass(frozen=True)
class Outcome:
    """How a canary ended."""

    rolled_back: bool
    reason: str
    seconds: float
    """Since the first person could be on the candidate."""
    usable_seconds: float
    """Those of them whose evidence counted: no trouble of both, and stable within its target."""


def run_canary(seed: int, plan: RolloutPlan, candidate: Fault, stable: Fault) -> Outcome:
    """Run one candidate through the canary steps."""
    world = World(random.Random(seed), stable, candidate)
    looks: list[tuple[Evidence, bool]] = []
    rollout = begin_rollout("r", V2, plan, Stable("blue", V1), world.now)
    rollout = replace(rollout, paused_by="the simulation")  # so that it stays at its first step
    while world.now < WATCHED_SECONDS:
        rollout = _watch(rollout, world)
    first = next(i for i, step in enumerate(rollout.steps) if step.name is StepName.CANARY)
    at = enter_step(StepName.CANARY, world.now)
    rollout = replace(rollout, step_index=first, at=at, paused_by=None, clocks={})
    began, probes, due = world.now, SendProbes(()), 0.0
    while rollout.rollback is None and rollout.step.name is StepName.CANARY:
        world.tick()
        results: tuple[ActionResult, ...] = ()
        if probes.targets and world.now >= due:
            tallies = {target.colour: world.visit(target.colour) for target in probes.targets}
            results, probes = (ActionResult(probes, tallies=tallies),), SendProbes(())
        decision = decide(rollout, Turn(world.now, world.observe(), results))
        rollout = decision.rollout
        shows = (rollout.step.weight or 0) >= candidate.from_weight
        if rollout.evidence is not None and shows:
            _add_look(looks, rollout.evidence, moving=rollout.bake_began is None)
        for action in decision.actions:
            if isinstance(action, ApplyWeights):
                world.weights = action.weights
            elif isinstance(action, Migrate):
                world.order_move(action.share_pct)
            elif isinstance(action, SendProbes) and not probes.targets:
                probes, due = action, world.now + PROBE_SECONDS
    back = rollout.rollback
    reason, seconds = back.reason if back else "", world.now - began
    usable = _calculate_usable(looks, reason)
    return Outcome(back is not None, reason, seconds, usable)


def _add_look(looks: list[tuple[Evidence, bool]], evidence: Evidence, *, moving: bool) -> None:
    """Add the evidence of a look; what trouble of both colours took away is removed."""
    while looks and looks[-1][0].usable_seconds >= evidence.usable_seconds:
        looks.pop()
    looks.append((evidence, moving))


def _calculate_usable(looks: Sequence[tuple[Evidence, bool]], reason: str) -> float:
    """Return the seconds of evidence that counted for the share that `reason` names."""
    named = [name for name in looks[-1][0].weighed if name in reason][:1] if looks else []
    ignored = any(not rate.counts_while_moving for rate in RATES if rate.name in named)
    usable = 0.0
    for (before, _), (after, moving) in itertools.pairwise(looks):
        sick = [calculate_evidence(after.weighed[name].stable_over) for name in named]
        if not any(it >= SUSPICION for it in sick) and not (moving and ignored):
            usable += after.usable_seconds - before.usable_seconds
    return usable


def _watch(rollout: Rollout, world: World) -> Rollout:
    world.tick()
    rollout = decide(rollout, Turn(world.now, world.observe())).rollout
    return replace(rollout, outcome="running")  # it would not begin in the middle of an outage


def simulate(name: str, seeds: Sequence[int], plan: RolloutPlan, *faults: Fault) -> dict[str, Any]:
    """Run many canaries of one kind; gives a row of the table."""
    outcomes = [run_canary(seed, plan, *faults) for seed in seeds]
    caught = sorted(outcome.seconds for outcome in outcomes if outcome.rolled_back)
    usable = [outcome.usable_seconds for outcome in outcomes if outcome.rolled_back]
    interval = plan.bake_seconds + plan.hold_seconds
    reasons = Counter(outcome.reason.split(" (")[0] for outcome in outcomes if outcome.rolled_back)
    return {
        "candidate": name,
        "canaries": len(outcomes),
        "rolled_back": len(caught),
        "p50_seconds": statistics.median(caught) if caught else None,
        "max_seconds": caught[-1] if caught else None,
        "max_usable_seconds": max(usable, default=None),
        "within_interval": sum(seconds <= interval for seconds in usable),
        "reasons": dict(reasons.most_common(3)),
    }


def run(good: int, bad: int, seed: int, bake_seconds: float) -> Iterator[dict[str, Any]]:
    """Simulate every kind; yields a row of the table for each."""
    plan = RolloutPlan(bake_seconds=bake_seconds)
    sick, fine = Fault(errors_5xx=0.05), Fault()
    many, few = range(seed, seed + good), range(seed, seed + bad)
    yield simulate("good", many, plan, fine, fine)
    yield simulate("good, as sick as stable (5xx at 5 %)", few, plan, sick, sick)
    yield simulate("good, fixes a sick stable (5xx at 5 %)", few, plan, fine, sick)
    crowded = Fault(crowded=0.35), Fault(crowded=0.28)
    yield simulate("good, slow acks 35 % of the time, stable 28 %", few, plan, *crowded)
    for name, (candidate, stable) in SATURATED.items():
        yield simulate(name, many if name == FIRST_SATURATED else few, plan, candidate, stable)
    yield simulate("good, Redis stops for 3 s every 5 to 20 s", many, plan, STOPPED, STOPPED)
    for name, fault in {**FAULTS, **LATE_FAULTS}.items():
        yield simulate(name, few, plan, fault, fine)
    slow = replace(FAULTS["+200 ms on acks"], saturated=0.7, moves_seconds=5.0)
    yield simulate("+200 ms on acks, on a saturated machine", few, plan, slow, HALF_SATURATED)


HEAD = (
    f"{'candidate':46}{'canaries':>9}{'rolled back':>13}{'p50 s':>8}{'max s':>8}"
    f"{'usable':>8}{'in time':>9}"
)


def show(row: Mapping[str, Any]) -> None:
    """Print a row of the table."""
    p50, most, usable = (
        "–" if row[name] is None else f"{row[name]:.2f}"
        for name in ("p50_seconds", "max_seconds", "max_usable_seconds")
    )
    counts = f"{row['canaries']:>9}{row['rolled_back']:>13}"
    in_time = f"{row['within_interval']:>9}" if row["rolled_back"] else ""
    print(f"{row['candidate']:46}{counts}{p50:>8}{most:>8}{usable:>8}{in_time}", flush=True)


def main() -> None:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bake-seconds", type=float, default=3.0)
    parser.add_argument("--json", help="write the rows here too")
    arguments = parser.parse_args()
    print(HEAD, flush=True)
    rows = []
    for row in run(arguments.good, arguments.bad, arguments.seed, arguments.bake_seconds):
        show(row)
        rows.append(row)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as stream:
            json.dump(rows, stream, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
