"""How often a good candidate is sent back, and how soon a bad one is: simulated canaries.

    scripts/bench analysis
    scripts/bench analysis --good 1000 --bad 100 --seed 1 --json analysis.json

The engine's own `decide` judges. Around it everything is drawn at random from a seed:
users, probes, a background of failures on both colours, shocks that hit both at once
(a busy machine, a Redis that stumbles), hiccups of one colour that last a moment, a machine
that both share and saturate, sessions that move and slow the candidate down, blips
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
from dataclasses import dataclass, field, replace
from typing import Any

from isshoni.rollout.actions import ActionResult, ApplyWeights, Migrate, SendProbes
from isshoni.rollout.analysis.evidence import Evidence
from isshoni.rollout.analysis.failure_rates import list_failure_rates
from isshoni.rollout.analysis.sequential import SUSPICION, calculate_evidence
from isshoni.rollout.decide import decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import (
    BackendStatus,
    Colour,
    MigrationStatus,
    Observation,
    ProbeTally,
    Release,
    SlotState,
    Stable,
    TrafficSample,
    Weights,
)
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout, begin_rollout
from isshoni.rollout.step_records import enter_step
from isshoni.rollout.steps import StepName

V1, V2 = Release("v1"), Release("v2")
LOOK_SECONDS = 0.25
RATES = list_failure_rates(RolloutPlan().thresholds)
WATCHED_SECONDS = 5.0
"""What the first four steps take; stable is observed while they run."""
PROBE_SECONDS = 1.25
VISITS_PER_SECOND = 20
MESSAGES_PER_SECOND = 60
PAGES, ENTRIES, MESSAGES = 60, 12, 36
BACKGROUND = 0.0002
"""Share of everything that fails on a good release."""
SHOCK = 0.2
"""Share of everything that fails on both colours in a shock."""
SHOCKS_PER_SECOND = 0.03
HICCUPS_PER_SECOND = 0.02
CROWDED_SECONDS = (0.2, 2.0)
SATURATED_SHARE = 0.4
SATURATED_SECONDS = (2.0, 12.0)
BLIPS_PER_SECOND = 0.02
BLIP_SECONDS = (0.5, 10.0)
NOTICE_SECONDS = 1.0
"""How long at most a colour takes to say that Redis is gone, or back."""
CHECK_SECONDS = 0.75
"""How long at most the balancer's health check takes to see what the colour says."""
BAD_LOOKS = 0.02
"""Share of the looks that are bad."""


KINDS = ("weights", "blue", "green", "nothing", "blue fails its check", "green fails its check")
"""What a bad look cannot read, or sees."""
SILENT: Mapping[str, tuple[Colour, ...]] = {
    "blue": ("blue",),
    "green": ("green",),
    "nothing": ("blue", "green"),
}


@dataclass(frozen=True)
class Fault:
    """What a release does wrong, as shares of what it is asked."""

    errors_5xx: float = 0.0
    refused: float = 0.0
    turned_away: float = 0.0
    unacked: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0
    redis_errors: float = 0.0
    slow: float = 0.0
    crowded: float = 0.0
    """Part of the time in which the machine leaves it too little CPU, so that acks are slow."""
    saturated: float = 0.0
    """Part of the looks with slow acks while the machine that both share is saturated."""
    moves_seconds: float = 12.0
    """How long the sessions of a step move to it; acks are slow then, if it is `saturated`."""


FAULTS = {
    "5xx at 2 %": Fault(errors_5xx=0.02),
    "5xx at 10 %": Fault(errors_5xx=0.1),
    "5xx always": Fault(errors_5xx=1.0),
    "refuses 10 % of upgrades": Fault(refused=0.1, turned_away=0.1),
    "refuses all upgrades": Fault(refused=1.0, turned_away=1.0),
    "hangs on restore": Fault(turned_away=1.0),
    "loses 10 % of acks": Fault(unacked=0.1),
    "loses 2 % of messages": Fault(lost=0.02),
    "doubles 2 % of messages": Fault(doubled=0.02),
    "+200 ms on acks": Fault(slow=1.0),
    "cannot write to Redis": Fault(redis_errors=1.0, unacked=1.0),
}

HALF_SATURATED = Fault(saturated=0.7)
FIRST_SATURATED = "good, saturated machine: 35 % slow, stable 28 %"
SATURATED = {
    FIRST_SATURATED: (Fault(saturated=0.875, moves_seconds=5.0), HALF_SATURATED),
    "good, saturated machine: 40 % slow, stable 20 %": (
        Fault(saturated=1.0, moves_seconds=5.0),
        Fault(saturated=0.5),
    ),
    "good, saturated machine, sessions move for 20 s": (
        Fault(saturated=0.875, moves_seconds=20.0),
        HALF_SATURATED,
    ),
}
"""A good candidate and its stable on a machine that is saturated 40 % of the time."""


@dataclass
class Counted:
    """One colour: what it is like, and what was counted of it."""

    fault: Fault
    requests: int = 0
    errors: int = 0
    refused: int = 0
    counters: Counter[str] = field(default_factory=Counter)
    acks: int = 0
    quick: int = 0
    hiccup_ends: float = 0.0
    crowded_ends: float = 0.0
    unready: tuple[float, float] = (0.0, 0.0)
    """From when until when it says that Redis does not answer."""
    unhealthy: tuple[float, float] = (0.0, 0.0)
    """The same, as the balancer's check sees it."""


class World:
    """Two colours, users who connect by the weights, and failures common to both."""

    def __init__(self, rng: random.Random, stable: Fault, candidate: Fault) -> None:
        self.rng, self.now = rng, 0.0
        self.weights = Weights(100, 0)
        self.colours: dict[Colour, Counted] = {"blue": Counted(stable), "green": Counted(candidate)}
        self.shock_ends = 0.0
        self.blip_ends = 0.0
        self.saturated_ends = 0.0
        self.move: tuple[float, float] | None = None
        """The share of the move that is ordered, and when it is done."""
        self.bad_look: str | None = None

    def draw(self, tries: int, share: float) -> int:
        """Draw how many of `tries` meet it."""
        return sum(self.rng.random() < share for _ in range(tries)) if share > 0 else 0

    def tick(self) -> None:
        """Let a look's time pass."""
        self.now += LOOK_SECONDS
        if self.rng.random() < SHOCKS_PER_SECOND * LOOK_SECONDS:
            self.shock_ends = self.now + self.rng.uniform(0.2, 2.0)
        if self.now > self.blip_ends and self.rng.random() < BLIPS_PER_SECOND * LOOK_SECONDS:
            self._begin_blip()
        self._saturate()
        self.bad_look = self.rng.choice(KINDS) if self.rng.random() < BAD_LOOKS else None
        for colour, counted in self.colours.items():
            if self.rng.random() < HICCUPS_PER_SECOND * LOOK_SECONDS:
                counted.hiccup_ends = self.now + self.rng.uniform(0.1, 0.7)
            self._crowd(counted)
            part = self.weights.of(colour) / 100 * LOOK_SECONDS
            self._serve(counted, self._about(VISITS_PER_SECOND * part))
            self._write(counted, self._about(MESSAGES_PER_SECOND * part))

    def _crowd(self, counted: Counted) -> None:
        share = counted.fault.crowded
        begins = share / (1 - share) / statistics.mean(CROWDED_SECONDS) * LOOK_SECONDS
        if self.now >= counted.crowded_ends and self.rng.random() < begins:
            counted.crowded_ends = self.now + self.rng.uniform(*CROWDED_SECONDS)

    def _saturate(self) -> None:
        """Slow down both colours at once, each to its own degree, and the one sessions move to."""
        sharing = [it for it in self.colours.values() if it.fault.saturated]
        if not sharing:
            return
        begins = SATURATED_SHARE / (1 - SATURATED_SHARE) / statistics.mean(SATURATED_SECONDS)
        if self.now >= self.saturated_ends and self.rng.random() < begins * LOOK_SECONDS:
            self.saturated_ends = self.now + self.rng.uniform(*SATURATED_SECONDS)
        for counted in sharing:
            if self.now < self.saturated_ends and self.rng.random() < counted.fault.saturated:
                counted.crowded_ends = self.now + LOOK_SECONDS
        candidate = self.colours["green"]
        if self.move is not None and self.now < self.move[1] and candidate.fault.saturated:
            candidate.crowded_ends = self.now + LOOK_SECONDS

    def order_move(self, share_pct: float) -> None:
        """Begin to move a share of the sessions, unless that is under way."""
        if self.move is None or self.move[0] != share_pct:
            self.move = share_pct, self.now + self.colours["green"].fault.moves_seconds

    def _see_move(self) -> MigrationStatus | None:
        if self.move is None:
            return None
        done = self.now >= self.move[1]
        looks = round(self.now / LOOK_SECONDS)  # it makes progress at each look
        return MigrationStatus("green", looks, 0, 0, int(not done), done, 0.0, self.move[0])

    def _begin_blip(self) -> None:
        """Make Redis answer neither colour for a while."""
        self.blip_ends = self.now + self.rng.uniform(*BLIP_SECONDS)
        for counted in self.colours.values():
            late = [self.rng.uniform(0, NOTICE_SECONDS) for _ in range(2)]
            begins, ends = self.now + late[0], self.blip_ends + late[1]
            counted.unready = begins, max(begins, ends)
            late = [self.rng.uniform(0, CHECK_SECONDS) for _ in range(2)]
            counted.unhealthy = begins + late[0], max(begins, ends) + late[1]

    def _is_in(self, span: tuple[float, float]) -> bool:
        return span[0] <= self.now < span[1]

    def visit(self, colour: Colour) -> ProbeTally:
        """Let probes meet what a colour is like now."""
        counted = self.colours[colour]
        self._serve(counted, PAGES)
        away = self.draw(ENTRIES, self._failing(counted.fault.turned_away))
        self._serve(counted, ENTRIES, upgrades=True)
        said = MESSAGES * (ENTRIES - away) // ENTRIES
        self._write(counted, said)
        counts = {"entries": ENTRIES, "turned_away": away, "messages": said}
        counts["unacked"] = self.draw(said, self._failing(counted.fault.unacked))
        counts["lost"] = self.draw(said, counted.fault.lost)
        counts["doubled"] = self.draw(said, counted.fault.doubled)
        return ProbeTally(counts)

    def observe(self) -> Observation:
        """Observe everything."""
        releases: dict[Colour, Release] = {"blue": V1, "green": V2}
        slots = {
            colour: SlotState(release, True, self._is_healthy(colour))
            for colour, release in releases.items()
        }
        traffic = {
            colour: TrafficSample(0, c.requests, c.requests, c.errors, c.refused)
            for colour, c in self.colours.items()
        }
        silent = SILENT.get(self.bad_look or "", ())
        return Observation(
            slots,
            None if self.bad_look in ("weights", "nothing") else self.weights,
            traffic,
            {
                c: None if c in silent else self._see(it, self._see_move() if c == "blue" else None)
                for c, it in self.colours.items()
            },
        )

    def _is_healthy(self, colour: Colour) -> bool:
        flaps = self.bad_look == f"{colour} fails its check"
        return not flaps and not self._is_in(self.colours[colour].unhealthy)

    def _see(self, counted: Counted, move: MigrationStatus | None) -> BackendStatus:
        return BackendStatus(
            "v",
            not self._is_in(counted.unready),
            False,
            0,
            0,
            dict(counted.counters),
            histograms={"ack_seconds": {"0.1": counted.quick, "+Inf": counted.acks}},
            migration=move,
            not_ready_reason="Redis: no answer" if self._is_in(counted.unready) else None,
            speaks_isshoni=True,
        )

    def _failing(self, share: float) -> float:
        weather = SHOCK if self.now < self.shock_ends else BACKGROUND
        weather = 1.0 if self.now < self.blip_ends else weather
        return 1 - (1 - share) * (1 - weather)

    def _serve(self, counted: Counted, visits: int, *, upgrades: bool = False) -> None:
        refusing = counted.fault.refused if upgrades else counted.fault.refused / 4
        refused = self.draw(visits, refusing)
        counted.requests += visits
        counted.refused += refused
        counted.errors += self.draw(visits - refused, self._failing(counted.fault.errors_5xx))
        if self.now < self.blip_ends:
            counted.counters["restore_failures"] += visits - refused
            counted.counters["redis_errors"] += visits - refused
        else:
            counted.counters["restores"] += visits - refused
        counted.counters["connections_opened"] += visits - refused

    def _write(self, counted: Counted, messages: int) -> None:
        failed = self.draw(messages, self._failing(counted.fault.redis_errors))
        counted.counters["redis_errors"] += failed
        counted.counters["messages"] += messages - failed
        stumbles = self.now < max(self.shock_ends, counted.hiccup_ends, counted.crowded_ends)
        slow = self.draw(messages - failed, max(counted.fault.slow, 0.7 if stumbles else 0.002))
        counted.acks += messages - failed
        counted.quick += messages - failed - slow

    def _about(self, expected: float) -> int:
        whole = int(expected)
        return whole + (self.rng.random() < expected - whole)


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
        if rollout.evidence is not None:
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
    for name, fault in FAULTS.items():
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
