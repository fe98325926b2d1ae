"""The result of a rollout, for users and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from isshoni.errors import ExitCode
from isshoni.rollout.analysis.verdict import Judgement
from isshoni.rollout.model import Release
from isshoni.rollout.state import Outcome, Rollback, Rollout, StepTiming
from isshoni.rollout.summary import RollbackSummary

EXIT_CODES: Mapping[Outcome, ExitCode] = {
    "promoted": ExitCode.OK,
    "rolled_back": ExitCode.ROLLED_BACK,
    "refused": ExitCode.REFUSED,
    "stuck": ExitCode.STUCK,
    "running": ExitCode.INTERRUPTED,
}


@dataclass(frozen=True)
class RollbackSeconds:
    """The two durations of a rollback; None for what it did not reach."""

    new_connections: float | None
    last_session: float | None


@dataclass(frozen=True)
class StepReport:
    """How long a step took."""

    number: int
    title: str
    seconds: float | None


@dataclass(frozen=True)
class PhaseReport:
    """A phase of a rollout; times in seconds since 1970."""

    name: str
    """A `Phase`, or `rollback`."""
    began: float
    ended: float


@dataclass(frozen=True)
class WeightsReport:
    """Weights, and from when they were applied, in seconds since 1970."""

    at: float
    blue: int
    green: int


@dataclass(frozen=True)
class RolloutReport:
    """The outcome of a rollout, and the figures that it was decided on."""

    id: str
    release: str
    colour: str
    previous_release: str
    outcome: Outcome
    """`running`: it was left as it is, and can be resumed."""
    reason: str
    began: float
    seconds: float
    bake_seconds: float
    """The planned bakes of the steps that were reached."""
    rollback_seconds: RollbackSeconds | None
    steps: Sequence[StepReport]
    phases: Sequence[PhaseReport]
    weights: Sequence[WeightsReport]
    judgements: Sequence[Judgement]
    content: str | None = None
    """The content id of what was deployed; see `Release.content`."""
    previous_content: str | None = None
    returning: bool = False
    """True if this deployed an earlier release again: a rollback after a finished rollout."""

    @property
    def release_name(self) -> str:
        """Return the release's label, with its commit or digest."""
        return Release(self.release, content=self.content).name

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of the outcome."""
        return EXIT_CODES[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**asdict(self), "exit_code": int(self.exit_code)}


def report_rollout(rollout: Rollout, now: float) -> RolloutReport:
    """Return the report of a rollout."""
    return RolloutReport(
        id=rollout.id,
        release=rollout.release.label,
        colour=rollout.candidate,
        previous_release=rollout.stable.release.label,
        outcome=rollout.outcome,
        reason=rollout.reason,
        began=rollout.began,
        seconds=measure_rollout(rollout.began, rollout.ended, now),
        bake_seconds=_sum_bakes(rollout, now),
        rollback_seconds=measure_rollback(rollout.rollback),
        steps=[_report_step(timing) for timing in rollout.timings],
        phases=_report_phases(rollout, rollout.ended or now),
        weights=[
            WeightsReport(s.at, s.weights.blue, s.weights.green) for s in rollout.weights_seen
        ],
        judgements=rollout.judgements,
        content=rollout.release.content,
        previous_content=rollout.stable.release.content,
        returning=rollout.returning,
    )


def _sum_bakes(rollout: Rollout, now: float) -> float:
    """Return the seconds that canary steps baked: less than planned where one was cut short."""
    planned = rollout.plan.bake_seconds
    took = (
        (timing.ended or rollout.ended or now) - timing.began
        for timing in rollout.timings
        if rollout.steps[timing.number - 1].weight is not None
    )
    return round(sum(min(planned, seconds) for seconds in took), 3)


def _report_step(timing: StepTiming) -> StepReport:
    seconds = None if timing.ended is None else round(timing.ended - timing.began, 3)
    return StepReport(timing.number, timing.title, seconds)


def _report_phases(rollout: Rollout, now: float) -> list[PhaseReport]:
    turned_back = rollout.rollback.began if rollout.rollback else now
    phases = []
    for phase, timings in groupby(rollout.timings, lambda timing: timing.phase):
        spans = list(timings)
        phases.append(PhaseReport(phase, spans[0].began, min(spans[-1].ended or now, turned_back)))
    if rollout.rollback:
        phases.append(PhaseReport("rollback", turned_back, now))
    return phases


def measure_rollout(began: float, ended: float | None, now: float) -> float:
    """Return the seconds of a rollout, to the present if it has not ended."""
    return round((ended or now) - began, 3)


def measure_rollback(rollback: Rollback | RollbackSummary | None) -> RollbackSeconds | None:
    """Return the two durations of a rollback; None if there was none."""
    if rollback is None:
        return None
    ends = (rollback.traffic_home, rollback.sessions_home)
    return RollbackSeconds(*(end and round(end - rollback.began, 3) for end in ends))
