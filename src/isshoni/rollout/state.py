"""The state of a rollout: enough for another engine to continue it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeVar

from isshoni.rollout.analysis.evidence import Evidence
from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.analysis.verdict import Judgement
from isshoni.rollout.clocks import Clocks, Condition, measure_wait, update_clock
from isshoni.rollout.model import Colour, Release, Stable, Weights, other
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.step_records import Baking, EndingOld, Promoting, StepRecord, enter_step
from isshoni.rollout.steps import Phase, Step, plan_steps

STATE_VERSION = 1

Outcome = Literal["running", "promoted", "rolled_back", "refused", "stuck"]
RequestKind = Literal["rollback", "abort", "pause", "resume", "skip_bake"]


@dataclass(frozen=True)
class Request:
    """A request that a user made at another terminal."""

    id: int
    kind: RequestKind
    who: str
    at: float


@dataclass(frozen=True)
class StepTiming:
    """When a step began and ended."""

    number: int
    title: str
    phase: Phase
    began: float
    ended: float | None = None


@dataclass(frozen=True)
class WeightsSeen:
    """Weights that were applied from a moment on."""

    at: float
    weights: Weights


@dataclass(frozen=True)
class Trouble:
    """Why a colour could not serve, and when that was last seen."""

    parts: tuple[str, ...]
    """The parts of its reason; empty if it gave no reason."""
    seen_at: float


@dataclass(frozen=True)
class Moving:
    """A move of live sessions away from a colour."""

    colour: Colour
    share_pct: float
    rate_per_second: float
    """The present rate; never above the plan's ceiling."""
    paced_at: float
    progressed_at: float
    progress: int = 0
    """Clients asked to move, moved or closed, as last seen."""
    paced_progress: int = 0
    """`progress` when the rate was last chosen."""
    busiest_cpu_pct: float = 0.0
    """The greatest CPU of the receiving colour since the rate was last chosen."""
    weather: Mapping[str, float] = field(default_factory=dict)
    """Gauges of the receiving colour while no session moved (`rollout/weather.py`)."""
    quiet_since: float | None = None
    """Since when no session moves, or as few as can be; None while they do."""


@dataclass(frozen=True, kw_only=True)
class Rollback(StepRecord):
    """The record of a rollback: used instead of the step's record while it runs.

    `began` is when the rollback began, also if another engine began it.
    """

    reason: str
    people: int | None = None
    """Connections on the candidate when it began to be emptied."""
    emptying_began: float | None = None
    held_since: float | None = None
    """Since when emptying is paused because stable cannot take the sessions; or None."""
    traffic_home: float | None = None
    """When all new connections were verified to go to the stable colour."""
    sessions_home: float | None = None
    """When the candidate's last connection had closed."""

    def resume(self, now: float) -> "Rollback":
        """Return the record for an engine that takes over; the rollback began when it did."""
        return replace(self, clocks={}, asked={}, emptying_began=None, held_since=None)


ACROSS_STEPS = frozenset(
    {Condition.CANDIDATE_WELL, Condition.TROUBLE_NOT_SHARED, Condition.WEIGHTS_APPLIED}
)
"""Conditions that are checked at every step; their clocks outlive the step."""

Kind = TypeVar("Kind", bound=StepRecord)


@dataclass(frozen=True)
class Rollout:
    """One attempt to move from stable to candidate. Times are seconds since 1970."""

    id: str
    release: Release
    plan: RolloutPlan
    stable: Stable
    began: float
    at: StepRecord
    """The record of the present step, or of the step at which the rollback began."""
    force: bool = False
    returning: bool = False
    """True if it deploys an earlier release again: a rollback after a promotion."""
    version: int = STATE_VERSION
    step_index: int = 0
    timings: tuple[StepTiming, ...] = ()
    wanted: Weights | None = None
    """The weights asked for last; they count as applied only when verified."""
    weights_seen: tuple[WeightsSeen, ...] = ()
    """Every change of the verified weights."""
    clocks: Clocks = field(default_factory=dict)
    """How long each condition of ACROSS_STEPS has been false."""
    evidence: Evidence | None = None
    """Evidence for and against the candidate; stable is observed from the beginning."""
    probed: Mapping[Colour, Counts] = field(default_factory=dict)
    """What the probes on each colour counted."""
    probe_faults: Mapping[Colour, str] = field(default_factory=dict)
    """What went wrong last for a probe on each colour."""
    judgements: tuple[Judgement, ...] = ()
    restarts_before: int | None = None
    """The candidate's restarts before any client was sent to it."""
    stable_trouble: Trouble | None = None
    """The last trouble of stable: the same trouble is not the candidate's fault."""
    alarms_before: frozenset[str] = frozenset()
    """Alarms that fired before any client was on the candidate: not its fault."""
    unhealthy_seen: int = 0
    """In how many observations in a row too few of the candidate's machines were healthy."""
    moving: Moving | None = None
    weather: Mapping[str, float] = field(default_factory=dict)
    """Stable's gauges from before any client was on the candidate (`rollout/weather.py`)."""
    paused_by: str | None = None
    blind_since: float | None = None
    requests_seen: int = 0
    rollback: Rollback | None = None
    outcome: Outcome = "running"
    reason: str = ""
    ended: float | None = None

    @property
    def candidate(self) -> Colour:
        """The colour that the release goes on."""
        return other(self.stable.colour)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of its plan."""
        return plan_steps(self.plan)

    @property
    def step(self) -> Step:
        """The present step."""
        return self.steps[self.step_index]

    @property
    def paused(self) -> bool:
        """True if it is paused: it does not enter its next step."""
        return self.paused_by is not None

    @property
    def can_turn_back(self) -> bool:
        """True if it can be rolled back, and is not being rolled back already."""
        return self.rollback is None and not self.ending

    @property
    def record(self) -> StepRecord:
        """The record that counts now: of the rollback if there is one, else of the step."""
        return self.rollback or self.at

    def recall(self, kind: type[Kind]) -> Kind:
        """Return the record of the present step; raises TypeError if it is of another kind."""
        if not isinstance(self.at, kind):
            raise TypeError(f"step {self.step.name} has no {kind.__name__}, but {self.at}")
        return self.at

    def keep(self, record: StepRecord) -> "Rollout":
        """Return the rollout with a changed record of its rollback or step."""
        if isinstance(record, Rollback):
            return replace(self, rollback=record)
        return replace(self, at=record)

    @property
    def ending(self) -> bool:
        """True if the old colour is stopped, or about to be: too late for a rollback."""
        return isinstance(self.at, Promoting) or (isinstance(self.at, EndingOld) and self.at.ending)

    @property
    def bake_began(self) -> float | None:
        """When the canary step's bake began; None if it does not bake."""
        return self.at.bake_began if isinstance(self.at, Baking) else None

    @property
    def kept_since(self) -> float | None:
        """When the old colour, empty, began to be kept warm; None if it is not."""
        return self.at.kept_since if isinstance(self.at, EndingOld) else None

    @property
    def skip_bake(self) -> bool:
        """True if a user asked to wait no longer at this step."""
        return isinstance(self.at, Baking | EndingOld) and self.at.skip_bake

    @property
    def exposed(self) -> bool:
        """True if a client may ever have been sent to the candidate."""
        return self.restarts_before is not None

    @property
    def exposed_at(self) -> float | None:
        """When the balancer first had a weight for the candidate; None if it never had."""
        if not self.exposed:
            return None
        shares = (it.at for it in self.weights_seen if it.weights.of(self.candidate) > 0)
        return next(shares, None)

    def note(self, condition: Condition, met: bool | None, now: float) -> "Rollout":
        """Return the rollout with one check of a condition added; `met` is None if unreadable."""
        if condition in ACROSS_STEPS:
            return replace(self, clocks=update_clock(self.clocks, condition, met, now))
        clocks = update_clock(self.record.clocks, condition, met, now)
        return self.keep(replace(self.record, clocks=clocks))

    def _choose_clocks(self, condition: Condition) -> Clocks:
        return self.clocks if condition in ACROSS_STEPS else self.record.clocks

    def restart_clock(self, condition: Condition, now: float) -> "Rollout":
        """Return the rollout with the clock of a condition restarted: false from now on."""
        return self.note(condition, True, now).note(condition, False, now)

    def measure_wait(self, condition: Condition, now: float) -> float:
        """Return the seconds since a condition became false or unreadable; 0 if it is true."""
        return measure_wait(self._choose_clocks(condition), condition, now)

    def is_false(self, condition: Condition) -> bool:
        """True if a condition was false at the last check."""
        clock = self._choose_clocks(condition).get(condition)
        return clock is not None and clock.false_since is not None

    def last_fault(self) -> str:
        """Return what failed last, as the end of a sentence; empty if nothing failed."""
        faults = list(self.record.faults.items())
        return "".join(f"; {asked}: {fault}" for asked, fault in faults[-1:])


def begin_rollout(
    id: str,
    release: Release,
    plan: RolloutPlan,
    stable: Stable,
    now: float,
    *,
    force: bool = False,
    returning: bool = False,
) -> Rollout:
    """Return a new rollout at its first step."""
    first = plan_steps(plan)[0]
    timings = (StepTiming(first.number, first.title, first.phase, now),)
    at = enter_step(first.name, now)
    begun = Rollout(id, release, plan, stable, now, at, force=force, timings=timings)
    return replace(begun, returning=returning)


def advance_step(rollout: Rollout, now: float) -> Rollout:
    """Return the rollout at its next step, with a new record."""
    following = rollout.steps[rollout.step_index + 1]
    done = replace(rollout.timings[-1], ended=now)
    begun = StepTiming(following.number, following.title, following.phase, now)
    return replace(
        rollout,
        step_index=rollout.step_index + 1,
        timings=(*rollout.timings[:-1], done, begun),
        at=enter_step(following.name, now, rollout.at),
    )


def note_weights(rollout: Rollout, weights: Weights | None, now: float) -> Rollout:
    """Return the rollout with the verified weights added, if they have changed."""
    last = rollout.weights_seen[-1].weights if rollout.weights_seen else None
    if weights is None or weights == last:
        return rollout
    return replace(rollout, weights_seen=(*rollout.weights_seen, WeightsSeen(now, weights)))


def end_rollout(rollout: Rollout, outcome: Outcome, reason: str, now: float) -> Rollout:
    """Return the rollout with its outcome; it does not run any more."""
    last = replace(rollout.timings[-1], ended=now)
    timings = (*rollout.timings[:-1], last)
    return replace(rollout, outcome=outcome, reason=reason, ended=now, timings=timings)


def resume_rollout(rollout: Rollout, now: float) -> Rollout:
    """Return the rollout for an engine that takes over.

    Time without an engine counts against no timeout.
    """
    moving = rollout.moving and replace(
        rollout.moving, paced_at=now, progressed_at=now, quiet_since=None
    )
    return replace(
        rollout,
        at=rollout.at.resume(now),
        rollback=rollout.rollback and rollout.rollback.resume(now),
        clocks={},
        moving=moving,
        blind_since=None,
    )
