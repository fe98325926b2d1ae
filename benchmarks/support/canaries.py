"""Simulated canaries: two colours, their users, and what befalls both or one of them."""

import random
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from isshoni.rollout.analysis.failure_rates import list_failure_rates
from isshoni.rollout.model import (
    BackendStatus,
    Colour,
    MigrationStatus,
    Observation,
    ProbeTally,
    Release,
    SlotState,
    TrafficSample,
    Weights,
)
from isshoni.rollout.plan import RolloutPlan

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
TROUBLES_PER_SECOND = 0.02
TROUBLE_SECONDS = (0.5, 10.0)
REDIS_STOP_SECONDS = 3.0
REDIS_RUNS_SECONDS = (5.0, 20.0)
"""How long Redis runs between two of its stops."""
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
    from_weight: int = 0
    """The weight from which the fault shows."""
    redis_stops: bool = False
    """True: Redis stops for REDIS_STOP_SECONDS again and again."""


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
LATE_FAULTS = {
    "+200 ms on acks, at 100 % only": Fault(slow=1.0, from_weight=100),
    "5xx at 10 %, at 100 % only": Fault(errors_5xx=0.1, from_weight=100),
}
"""Faults that show when stable has no clients left to compare with."""

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
    "good, saturated machine: as slow as stable": (
        Fault(saturated=0.7, moves_seconds=5.0),
        HALF_SATURATED,
    ),
}
"""A good candidate and its stable on a machine that is saturated 40 % of the time."""
STOPPED = Fault(moves_seconds=5.0, redis_stops=True)


@dataclass
class Counted:
    """One colour: what it is like, and what was counted of it."""

    declared: Fault
    fault: Fault = field(default_factory=Fault)
    """The declared fault, while it shows."""
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
        self.trouble_ends = 0.0
        self.next_stop = 0.0
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
        if self.now > self.trouble_ends and self.rng.random() < TROUBLES_PER_SECOND * LOOK_SECONDS:
            self._begin_outage(self.rng.uniform(*TROUBLE_SECONDS))
        self._stop_redis()
        self._saturate()
        self.bad_look = self.rng.choice(KINDS) if self.rng.random() < BAD_LOOKS else None
        for colour, counted in self.colours.items():
            shows = self.weights.of(colour) >= counted.declared.from_weight
            counted.fault = counted.declared if shows else Fault()
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
        sharing = [it for it in self.colours.values() if it.declared.saturated]
        if not sharing:
            return
        begins = SATURATED_SHARE / (1 - SATURATED_SHARE) / statistics.mean(SATURATED_SECONDS)
        if self.now >= self.saturated_ends and self.rng.random() < begins * LOOK_SECONDS:
            self.saturated_ends = self.now + self.rng.uniform(*SATURATED_SECONDS)
        for counted in sharing:
            if self.now < self.saturated_ends and self.rng.random() < counted.declared.saturated:
                counted.crowded_ends = self.now + LOOK_SECONDS
        candidate = self.colours["green"]
        if self.move is not None and self.now < self.move[1] and candidate.declared.saturated:
            candidate.crowded_ends = self.now + LOOK_SECONDS

    def order_move(self, share_pct: float) -> None:
        """Begin to move a share of the sessions, unless that is under way."""
        if self.move is None or self.move[0] != share_pct:
            self.move = share_pct, self.now + self.colours["green"].declared.moves_seconds

    def _see_move(self) -> MigrationStatus | None:
        if self.move is None:
            return None
        done = self.now >= self.move[1]
        looks = round(self.now / LOOK_SECONDS)  # it makes progress at each look
        return MigrationStatus("green", looks, 0, 0, int(not done), done, 0.0, self.move[0])

    def _stop_redis(self) -> None:
        if not any(counted.declared.redis_stops for counted in self.colours.values()):
            return
        if self.now >= self.next_stop:
            if self.next_stop:
                self._begin_outage(REDIS_STOP_SECONDS)
            pause = self.rng.uniform(*REDIS_RUNS_SECONDS)
            self.next_stop = self.now + REDIS_STOP_SECONDS + pause

    def _begin_outage(self, seconds: float) -> None:
        """Make Redis answer neither colour for a while."""
        self.trouble_ends = self.now + seconds
        for counted in self.colours.values():
            late = [self.rng.uniform(0, NOTICE_SECONDS) for _ in range(2)]
            begins, ends = self.now + late[0], self.trouble_ends + late[1]
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
        weather = 1.0 if self.now < self.trouble_ends else weather
        return 1 - (1 - share) * (1 - weather)

    def _serve(self, counted: Counted, visits: int, *, upgrades: bool = False) -> None:
        refusing = counted.fault.refused if upgrades else counted.fault.refused / 4
        refused = self.draw(visits, refusing)
        counted.requests += visits
        counted.refused += refused
        counted.errors += self.draw(visits - refused, self._failing(counted.fault.errors_5xx))
        if self.now < self.trouble_ends:
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
