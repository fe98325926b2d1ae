"""All that a rollout remembers: enough for a fresh engine to go on with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from isshoni.rollout.analysis.evidence import Evidence
from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.analysis.verdict import Judgement
from isshoni.rollout.clocks import Clocks, Condition, measure_wait, update_clock
from isshoni.rollout.model import Colour, Proof, Release, Stable, Weights, other
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.steps import Phase, Step, plan_steps

STATE_VERSION = 1

Outcome = Literal["running", "promoted", "rolled_back", "refused", "stuck"]
RequestKind = Literal["rollback", "abort", "pause", "resume", "skip_bake"]


@dataclass(frozen=True)
class Request:
    """What somebody at another terminal asked of a rollout."""

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
    """Weights that were in force from a moment on."""

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
    """What the pace has come to; never above the plan's ceiling."""
    paced_at: float
    progressed_at: float
    progress: int = 0
    """People told, moved or closed, as last seen."""


@dataclass(frozen=True)
class Rollback:
    """A way back under way, with its two clocks."""

    reason: str
    began: float
    clock_began: float
    """As `began`, but reset by each engine; for earlier versions, which have no `clocks`."""
    people: int | None = None
    """Connections on the candidate when it began to be emptied."""
    emptying_began: float | None = None
    held_since: float | None = None
    """Since when emptying is paused because stable cannot take the sessions; or None."""
    traffic_home: float | None = None
    """When all new connections were verified to go to the stable colour."""
    sessions_home: float | None = None
    """When the candidate's last connection was gone."""


@dataclass(frozen=True)
class Rollout:
    """One attempt to move from stable to candidate. Times are seconds since 1970."""

    id: str
    release: Release
    plan: RolloutPlan
    stable: Stable
    began: float
    step_began: float
    """When this engine reached the step; timeouts use `clocks` instead."""
    force: bool = False
    returning: bool = False
    """True if it deploys an earlier release again: a rollback after a promotion."""
    version: int = STATE_VERSION
    step_index: int = 0
    timings: tuple[StepTiming, ...] = ()
    wanted: Weights | None = None
    """The weights desired last; in force only when verified."""
    weights_seen: tuple[WeightsSeen, ...] = ()
    """Every change of the verified weights."""
    asked: Mapping[str, float] = field(default_factory=dict)
    """What was asked in this step, and when."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """What failed last, by what was asked."""
    clocks: Clocks = field(default_factory=dict)
    """How long each awaited condition has been false."""
    prepared: bool = False
    proof: Proof | None = None
    bake_began: float | None = None
    evidence: Evidence | None = None
    """For and against the candidate; stable is watched from the beginning."""
    probed: Mapping[Colour, Counts] = field(default_factory=dict)
    """What the probes on each colour counted."""
    probes_underway: bool = False
    """True if a round of probes was started in this step and has not ended yet."""
    probe_faults: Mapping[Colour, str] = field(default_factory=dict)
    """What went wrong last for a probe on each colour."""
    baseline: Counts | None = None
    """The candidate's counters when the step's weight was first verified."""
    judgements: tuple[Judgement, ...] = ()
    restarts_before: int | None = None
    """The candidate's restarts before anybody was sent to it."""
    stable_trouble: Trouble | None = None
    """The last trouble of stable: the same trouble is not the candidate's fault."""
    alarms_before: frozenset[str] = frozenset()
    """Alarms that fire since before the candidate had people: no fault of its."""
    moving: Moving | None = None
    paused_by: str | None = None
    skip_bake: bool = False
    """Somebody wants to wait no longer at this step."""
    kept_since: float | None = None
    """When the old colour, empty, began to be kept warm."""
    ending: bool = False
    """The old colour is about to be ended: the way back is closed."""
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
        """The step that it is at."""
        return self.steps[self.step_index]

    @property
    def paused(self) -> bool:
        """Say whether it is held before its next step."""
        return self.paused_by is not None

    @property
    def can_turn_back(self) -> bool:
        """Say whether the way back is still open, and not taken yet."""
        return self.rollback is None and not self.ending

    @property
    def exposed(self) -> bool:
        """Say whether anybody may ever have been sent to the candidate."""
        return self.restarts_before is not None

    def note(self, condition: Condition, met: bool | None, now: float) -> "Rollout":
        """Return the rollout after a look at a condition; `met` is None if unreadable."""
        return replace(self, clocks=update_clock(self.clocks, condition, met, now))

    def restart_clock(self, condition: Condition, now: float) -> "Rollout":
        """Return the rollout with the clock of a condition restarted: false from now on."""
        return self.note(condition, True, now).note(condition, False, now)

    def measure_wait(self, condition: Condition, now: float) -> float:
        """Return the seconds since a condition became false or unreadable; 0 if it is true."""
        return measure_wait(self.clocks, condition, now)

    def is_false(self, condition: Condition) -> bool:
        """True if a condition was false at the last look."""
        clock = self.clocks.get(condition)
        return clock is not None and clock.false_since is not None

    def last_fault(self) -> str:
        """Give what failed last, as the tail of a sentence; empty when nothing did."""
        return "".join(f"; {asked}: {fault}" for asked, fault in list(self.faults.items())[-1:])


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
    """Make a rollout that is about to read the present state."""
    first = plan_steps(plan)[0]
    timings = (StepTiming(first.number, first.title, first.phase, now),)
    begun = Rollout(id, release, plan, stable, now, now, force=force, timings=timings)
    return replace(begun, returning=returning)


def advance_step(rollout: Rollout, now: float) -> Rollout:
    """Leave the step that it is at for the next one."""
    following = rollout.steps[rollout.step_index + 1]
    done = replace(rollout.timings[-1], ended=now)
    begun = StepTiming(following.number, following.title, following.phase, now)
    return replace(
        rollout,
        step_index=rollout.step_index + 1,
        step_began=now,
        timings=(*rollout.timings[:-1], done, begun),
        asked={},
        faults={},
        probes_underway=False,
        bake_began=None,
        baseline=None,
        skip_bake=False,
    )


def note_weights(rollout: Rollout, weights: Weights | None, now: float) -> Rollout:
    """Remember a change of the verified weights."""
    last = rollout.weights_seen[-1].weights if rollout.weights_seen else None
    if weights is None or weights == last:
        return rollout
    return replace(rollout, weights_seen=(*rollout.weights_seen, WeightsSeen(now, weights)))


def end_rollout(rollout: Rollout, outcome: Outcome, reason: str, now: float) -> Rollout:
    """Close a rollout for good."""
    last = replace(rollout.timings[-1], ended=now)
    timings = (*rollout.timings[:-1], last)
    return replace(rollout, outcome=outcome, reason=reason, ended=now, timings=timings)


def resume_rollout(rollout: Rollout, now: float) -> Rollout:
    """Take a rollout up again: time without an engine counts against no timeout.

    A bake starts over, for nobody watched it; its baseline stays, so that what
    happened meanwhile is judged.
    """
    rollback = rollout.rollback and replace(
        rollout.rollback, clock_began=now, emptying_began=None, held_since=None
    )
    moving = rollout.moving and replace(rollout.moving, paced_at=now, progressed_at=now)
    return replace(
        rollout,
        step_began=now,
        clocks={},
        moving=moving,
        asked={},
        probes_underway=False,
        bake_began=None,
        blind_since=None,
        rollback=rollback,
    )


def encode_rollout(rollout: Rollout) -> bytes:
    """Write a rollout as JSON."""
    return msgspec.json.encode(rollout, enc_hook=_encode_plan)


def decode_rollout(raw: bytes) -> Rollout:
    """Read a rollout; fields of a later version are ignored."""
    return msgspec.json.decode(raw, type=Rollout, dec_hook=_decode_plan)


def _encode_plan(value: Any) -> Any:
    if isinstance(value, RolloutPlan):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"cannot write a {type(value).__name__}")


def _decode_plan(kind: type, value: Any) -> Any:
    if kind is RolloutPlan:
        return RolloutPlan.model_validate(value, extra="ignore")
    raise NotImplementedError(f"cannot read a {kind.__name__}")
